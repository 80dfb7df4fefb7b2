//! Every scene can be played: its stories can be told, and what they explore can be explored.

use std::path::{Path, PathBuf};

use replica::scenes::{self, Scene};
use replica::{Desk, site};
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn ask(desk: &mut Desk, request: &Value, bytes: &[u8]) -> Value {
    let request = [request.to_string().as_bytes(), b"\n", bytes].concat();
    let answer = desk.answer(&request, &mut |_| true);
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["error"], Value::Null, "{}", answer["error"]);
    answer["ok"].clone()
}

/// A scene's canisters, deployed as the page does it; and their names.
fn deploy(scene: &Scene) -> (Desk, Value) {
    let mut desk = Desk::default();
    let names: Vec<&String> = scene.canisters.keys().collect();
    let names = ask(&mut desk, &json!({ "create": names }), b"");
    let wasm = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../wasm32-unknown-unknown");
    for (name, member) in &scene.canisters {
        let module = site::module(&root(), &wasm, name, member).unwrap();
        ask(&mut desk, &json!({ "install": names[name] }), &module);
    }
    (desk, names)
}

/// Delivers what waits, the oldest first, until nothing does; nothing, if that takes too long.
fn play(desk: &mut Desk, story: &mut Value) -> Option<Value> {
    for _ in 0..100 {
        let told = ask(desk, &json!({ "tell": story }), b"");
        assert_eq!(told["fault"], Value::Null);
        let waiting = told["waiting"].as_array().unwrap();
        let Some(next) = waiting.iter().find(|w| w["ways"] != json!([])) else {
            return Some(told);
        };
        let step = format!("deliver {}", next["step"].as_str().unwrap());
        story["steps"].as_array_mut().unwrap().push(step.into());
    }
    None
}

#[test]
fn every_story_of_every_scene_goes_as_its_title_says() {
    let scenes = scenes::all(&root()).unwrap();
    assert!(scenes.len() > 10);
    for scene in &scenes {
        let (mut desk, names) = deploy(scene);
        for beginning in &scene.stories {
            let mut story =
                json!({ "steps": beginning.steps, "looks": scene.looks, "names": names });
            let told = play(&mut desk, &mut story);
            let ends = !beginning.title.contains("never ends");
            assert_eq!(told.is_some(), ends, "{}: {story}", beginning.title);
            let Some(told) = told else { continue };
            let looks = told["steps"].as_array().unwrap().last().unwrap()["looks"].to_string();
            assert!(!looks.contains("reject"), "{}: {looks}", beginning.title);
            if beginning.properties.is_empty() {
                continue;
            }
            story["steps"] = json!(beginning.steps);
            let wanted = json!({ "properties": beginning.properties });
            let explore = json!({ "explore": { "story": story, "wanted": wanted } });
            let found = ask(&mut desk, &explore, b"");
            assert_eq!(found["report"]["exhaustive"], true);
            // The title says what is wrong with a mistake.
            let is_mistake = beginning.title.contains("paid twice");
            assert_eq!(found["report"]["holds"], !is_mistake, "{}", beginning.title);
        }
    }
}

#[test]
fn each_lesson_has_a_scene() {
    let scenes = scenes::all(&root()).unwrap();
    let lessons = std::fs::read_dir(root().join("lessons")).unwrap();
    for lesson in lessons {
        let name = lesson.unwrap().file_name().into_string().unwrap();
        if let Some((number, name)) = name.split_once('-')
            && number.parse::<u32>().is_ok()
            && name != "rollback"
        {
            assert!(scenes.iter().any(|scene| scene.name == name), "{name}");
        }
    }
}

#[test]
fn what_is_no_request_is_answered_by_one_line() {
    for request in [
        "",
        "{",
        "\"dance\"",
        "{\"tell\": 1}",
        "{\"install\": \"x\"}",
    ] {
        let answer = Desk::default().answer(request.as_bytes(), &mut |_| true);
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let error = answer["error"].as_str().unwrap();
        assert!(error.starts_with("no request: "), "{error}");
        assert_eq!(error.lines().count(), 1);
    }
}
