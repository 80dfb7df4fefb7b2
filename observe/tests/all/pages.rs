//! What is written by a command and not by hand: outputs and code on pages, the list of lessons, and
//! the manifests of their canisters. With `UPDATE_PAGES` set, these tests write what they otherwise
//! compare.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use observe::lessons::{LESSONS, all};

use crate::support::blocks::{fill, function, with_messages};
use crate::support::{observe, project, text};

/// Writes a file, or compares it with what it should be.
fn keep(file: &Path, fresh: &str) {
    let written = fs::read_to_string(file).unwrap_or_default();
    if written == fresh {
        return;
    }
    let name = file.strip_prefix(project()).unwrap_or(file).display();
    assert!(
        std::env::var_os("UPDATE_PAGES").is_some(),
        "{name} is stale. UPDATE_PAGES=1 cargo test -p observe --test all pages:: refreshes it"
    );
    // In one step: cargo may be reading it.
    let aside = file.with_extension(format!("{:?}", std::thread::current().id()));
    fs::write(&aside, fresh).unwrap();
    fs::rename(&aside, file).unwrap();
}

/// The rooms of the lessons, in their order: the lesson's name, and the room's.
pub(crate) fn rooms() -> Vec<(&'static str, String)> {
    let rooms = LESSONS.iter().zip(1..);
    rooms
        .map(|(lesson, number)| (lesson.name, format!("{number:02}-{}", lesson.name)))
        .collect()
}

/// What belongs on a page beside outputs and code.
pub(crate) enum Page {
    /// The list of the lessons.
    Readme,
    /// Links to the lessons before and after this one.
    Lesson(usize),
    /// Nothing.
    Other,
}

/// All pages with outputs or code.
pub(crate) fn pages() -> Vec<(PathBuf, Page)> {
    let mut pages = vec![
        (project().join("README.md"), Page::Readme),
        (project().join("canisters/motoko/README.md"), Page::Other),
    ];
    for page in fs::read_dir(project().join("docs")).unwrap() {
        pages.push((page.unwrap().path(), Page::Other));
    }
    for (index, (_, room)) in rooms().into_iter().enumerate() {
        let page = project().join("lessons").join(room).join("README.md");
        pages.push((page, Page::Lesson(index)));
    }
    pages
}

// ---- Outputs and code ----------------------------------------------------------------------------

#[test]
fn pages_show_the_outputs_the_code_and_the_lessons_of_today() {
    // A new lesson's canisters can be built from here on.
    cargo_knows_every_canister_of_a_lesson();
    let mut shown = 0;
    for (page, kind) in pages() {
        let written = fs::read_to_string(&page).unwrap_or_else(|_| panic!("{}", page.display()));
        let fresh = fill(&written, |comment| {
            shown += 1;
            if let Some(arguments) = comment.strip_prefix("output of ./scripts/observe.sh") {
                let arguments: Vec<&str> = arguments.split_whitespace().collect();
                let output = observe(&arguments);
                let printed = text(&output.stdout).to_owned();
                assert_eq!(output.status.code(), Some(0), "{comment}: {printed}");
                return Some(printed);
            }
            if comment == "the legend" {
                return Some(observe::legend::whole());
            }
            // The list of lessons is no block, and states are drawn by hand: `map` compares them.
            if comment == "the lessons" || comment.starts_with("states of ") {
                return None;
            }
            let code = comment.strip_prefix("code of ");
            let code = code.unwrap_or_else(|| panic!("{comment}: what is to stand here?"));
            let words: Vec<&str> = code.split_whitespace().collect();
            let [file, name, messages @ ..] = words.as_slice() else {
                panic!("{comment}: which file, and which function?");
            };
            let file = page.parent().expect("it is in a folder").join(file);
            let source = fs::read_to_string(&file).unwrap_or_else(|_| panic!("{comment}"));
            let function = function(&source, name).unwrap_or_else(|| panic!("{comment}"));
            Some(match messages {
                [] => function,
                messages => with_messages(&function, messages),
            })
        });
        let fresh = match kind {
            Page::Readme => with_list(&fresh),
            Page::Lesson(index) => with_links(&fresh, index),
            Page::Other => fresh,
        };
        keep(&page, &fresh);
    }
    assert!(shown > LESSONS.len(), "only {shown} were found");
}

// ---- The list of lessons ---------------------------------------------------------------------------

#[test]
fn every_lesson_has_its_room_and_no_room_is_without_a_lesson() {
    let folder = project().join("lessons");
    let mut found: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(|first: char| first.is_ascii_digit()))
        .collect();
    found.sort();
    let rooms: Vec<String> = rooms().into_iter().map(|(_, room)| room).collect();
    assert_eq!(found, rooms);
    for (lesson, room) in LESSONS.iter().zip(&rooms) {
        let room = folder.join(room);
        assert!(room.join("README.md").is_file(), "{}", room.display());
        for part in lesson.canisters.in_room() {
            for file in [format!("{part}.rs"), format!("{part}.did")] {
                assert!(room.join(&file).is_file(), "{}: {file}", room.display());
            }
        }
    }
}

/// README with its list of the lessons made anew.
fn with_list(readme: &str) -> String {
    let mut rows = "| Lesson | What it shows |\n| --- | --- |\n".to_owned();
    for (lesson, (name, room)) in LESSONS.iter().zip(rooms()) {
        let _ = writeln!(rows, "| [{name}](lessons/{room}) | {} |", lesson.about);
    }
    let (before, after) = readme
        .split_once("<!-- the lessons -->\n")
        .expect("it has a list");
    let (_, after) = after.split_once("\n\n").expect("the list ends");
    format!("{before}<!-- the lessons -->\n{rows}\n{after}")
}

/// A lesson's page with the links at its end made anew.
fn with_links(page: &str, index: usize) -> String {
    let rooms = rooms();
    let experiment = format!("observe/src/lessons/{}.rs", rooms[index].0);
    for source in [experiment.as_str(), "caller.rs"] {
        // The first lesson is about the pair.
        let source = if index == 0 {
            source.replace("caller.rs", "canister1/src/lib.rs")
        } else {
            source.to_owned()
        };
        assert!(page.contains(&source), "{}: {source}", rooms[index].1);
    }
    let link = |(name, room): &(&str, String)| format!("[{name}](../{room}/README.md)");
    let previous = index.checked_sub(1).map(|index| &rooms[index]);
    let links = [
        previous.map(|room| format!("Previous: {}", link(room))),
        rooms
            .get(index + 1)
            .map(|room| format!("Next: {}", link(room))),
    ];
    let lookup = [
        "[The map](../../docs/map.md)",
        "[Words](../../docs/words.md)",
    ];
    let lookup = lookup.map(str::to_owned);
    let links: Vec<String> = links.into_iter().flatten().chain(lookup).collect();
    let is_content = |line: &&str| {
        let links = ["Previous: ", "Next: ", "[The map](../../docs/map.md)"];
        !links.iter().any(|link| line.starts_with(link))
    };
    let lines: Vec<&str> = page.lines().filter(is_content).collect();
    let content = lines.join("\n");
    format!("{}\n\n{}\n", content.trim_end(), links.join(" · "))
}

#[test]
fn every_link_on_a_page_leads_somewhere() {
    let more = ["CONTRIBUTING.md", "replica/README.md"];
    let more = more.map(|page| project().join(page));
    for page in pages().into_iter().map(|(page, _)| page).chain(more) {
        let written = fs::read_to_string(&page).unwrap_or_else(|_| panic!("{}", page.display()));
        for link in written.split("](").skip(1) {
            // A link may have a title.
            let link = link.split([')', '#', ' ']).next().unwrap_or_default();
            if link.is_empty() || link.starts_with("http") {
                continue;
            }
            let target = page.parent().expect("it is in a folder").join(link);
            assert!(target.exists(), "{}: {link}", page.display());
        }
    }
}

#[test]
fn every_file_of_these_tests_is_run_and_every_lesson_has_one() {
    let folder = project().join("observe/tests/all");
    let main = fs::read_to_string(folder.join("main.rs")).unwrap();
    let is_run = |name: &str| main.contains(&format!("\nmod {name};\n"));
    for file in fs::read_dir(&folder).unwrap() {
        let name = file.unwrap().path().with_extension("");
        let name = name.file_name().unwrap().to_str().unwrap();
        assert!(name == "main" || is_run(name), "{name}");
    }
    for lesson in all() {
        assert!(is_run(lesson.name), "{}", lesson.name);
    }
}

#[test]
fn the_lessons_have_no_name_twice() {
    let mut names: Vec<&str> = all().map(|lesson| lesson.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

// ---- The manifests of the lessons' canisters -------------------------------------------------------

/// The canisters in rooms: the lesson, the room, and the part.
fn canisters() -> Vec<(&'static str, String, &'static str)> {
    let mut canisters = Vec::new();
    for (lesson, (name, room)) in LESSONS.iter().zip(rooms()) {
        for &part in lesson.canisters.in_room() {
            let source = project().join(format!("lessons/{room}/{part}.rs"));
            assert!(source.exists(), "lessons/{room} has no {part}.rs");
            canisters.push((name, room.clone(), part));
        }
    }
    canisters
}

#[test]
fn cargo_knows_every_canister_of_a_lesson() {
    let manifest = project().join("lessons/Cargo.toml");
    let written = fs::read_to_string(&manifest).unwrap();
    let (head, _) = written.split_once("\n[[bin]]").expect("it has binaries");
    let mut fresh = head.to_owned();
    for (lesson, room, part) in canisters() {
        let _ = write!(
            fresh,
            "\n[[bin]]\nname = \"{lesson}_{part}\"\npath = \"{room}/{part}.rs\"\n"
        );
        // Else cargo builds a test program for each.
        if !has_tests(&project().join("lessons").join(room), part) {
            fresh.push_str("test = false\n");
        }
    }
    keep(&manifest, &fresh);
}

/// Whether a file of a room has tests, or one that belongs to it.
fn has_tests(room: &Path, file: &str) -> bool {
    let source = fs::read_to_string(room.join(file).with_extension("rs")).unwrap();
    let mut modules = source
        .lines()
        .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    source.contains("#[test]") || modules.any(|module| has_tests(room, module))
}

#[test]
fn dfx_knows_every_canister_of_a_lesson() {
    let all = canisters();
    let canisters = all.iter().map(|(lesson, room, part)| {
        // The caller calls all others of its room.
        let others = all.iter().filter(|(of, _, other)| of == lesson && *other != "caller");
        let others = others.map(|(_, _, other)| format!("\"{lesson}_{other}\""));
        let dependencies = match *part {
            "caller" => {
                let others: Vec<String> = others.collect();
                format!("      \"dependencies\": [{}],\n", others.join(", "))
            }
            _ => String::new(),
        };
        format!(
            "    \"{lesson}_{part}\": {{\n      \"type\": \"rust\",\n      \"package\": \"lessons\",\n      \
             \"crate\": \"{lesson}_{part}\",\n      \"candid\": \"{room}/{part}.did\",\n{dependencies}      \
             \"skip_cargo_audit\": true\n    }}"
        )
    });
    let canisters: Vec<String> = canisters.collect();
    let manifest = format!(
        "{{\n  \"version\": 1,\n  \"canisters\": {{\n{}\n  }}\n}}\n",
        canisters.join(",\n")
    );
    let is_json: Result<serde_json::Value, _> = serde_json::from_str(&manifest);
    assert!(is_json.is_ok(), "{manifest}");
    keep(&project().join("lessons/dfx.json"), &manifest);
}

#[test]
fn icp_knows_every_canister_of_a_lesson() {
    let mut manifest = "\
# The lessons' canisters, deployed from this folder: icp deploy journal_caller journal_callee
# A caller learns the id of its callee from an environment variable that `icp deploy` sets.
canisters:
"
    .to_owned();
    let target = "wasm32-unknown-unknown";
    let canisters = canisters().into_iter().map(|(lesson, room, part)| {
        let name = format!("{lesson}_{part}");
        let output = "\"$ICP_WASM_OUTPUT_PATH\"";
        format!(
            "  - name: {name}
    build:
      steps:
        - type: script
          commands:
            - cargo build --package lessons --bin {name} --target {target} --release --locked --target-dir ../target
            - ic-wasm ../target/{target}/release/{name}.wasm -o {output} metadata candid:service -f {room}/{part}.did -v public --keep-name-section
            - ic-wasm {output} -o {output} shrink --keep-name-section
"
        )
    });
    manifest.push_str(&canisters.collect::<Vec<String>>().join("\n"));
    keep(&project().join("lessons/icp.yaml"), &manifest);
}
