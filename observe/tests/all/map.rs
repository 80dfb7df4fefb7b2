//! The map, `docs/map.md`: what it says is shown is shown. And the diagrams of states on pages have the
//! states of the code.

use std::collections::BTreeSet;
use std::fs;

use observe::legend::LEGEND;
use observe::lesson::{Layout, Side};
use observe::lessons::{LESSONS, all};

use crate::pages::{pages, rooms};
use crate::support::{observe, project, text};

fn map() -> String {
    fs::read_to_string(project().join("docs/map.md")).expect("there is a map")
}

/// The rows of the table under a heading, each with its cells.
fn rows<'a>(map: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let (_, section) = map.split_once(heading).expect("the map has the heading");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| "));
    let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    let numbered = cells.filter(|cells| cells[1].parse::<usize>().is_ok());
    numbered.map(|cells| cells[1..].to_vec()).collect()
}

/// The experiments that a cell names, and where their links lead: [`name`](page).
fn experiments(cell: &str) -> Vec<(&str, &str)> {
    let links = cell.split("[`").skip(1);
    let links = links.map(|link| {
        let (name, rest) = link.split_once("`](").expect("a name is a link");
        let (page, _) = rest.split_once(')').expect("the link ends");
        (name, page)
    });
    links.collect()
}

/// The tests that a cell names, and their files: [file](path "test").
fn tests(cell: &str) -> Vec<(&str, &str)> {
    let links = cell.split("](").skip(1);
    let links = links.map(|link| {
        let (file, rest) = link.split_once(" \"").expect("the link has a title");
        let (test, _) = rest.split_once("\")").expect("the title ends");
        (test, file)
    });
    links.collect()
}

/// What the experiments stand for that a name means: `lesson method`, or `lesson method:2`.
fn sides(name: &str) -> Vec<Side> {
    let (lesson, method) = name.split_once(' ').expect("a lesson and a method");
    let (method, number) = match method.split_once(':') {
        Some((method, number)) => (method, Some(number.parse::<usize>().expect("a number"))),
        None => (method, None),
    };
    let lesson = all().find(|one| one.name == lesson);
    let lesson = lesson.unwrap_or_else(|| panic!("there is no lesson for `{name}`"));
    let experiments = (lesson.experiments)().into_iter();
    let found = experiments.filter(|experiment| experiment.method == method);
    let sides: Vec<Side> = found.map(|experiment| experiment.side).collect();
    match number {
        Some(number) => sides.get(number - 1).copied().into_iter().collect(),
        None => sides,
    }
}

/// The page of a lesson, seen from `docs`.
fn page_of(lesson: &str) -> String {
    match rooms().into_iter().find(|(name, _)| *name == lesson) {
        Some((_, room)) => format!("../lessons/{room}/README.md"),
        None => format!("../canisters/{lesson}/README.md"),
    }
}

#[test]
fn every_property_and_every_concern_has_a_failure_a_cure_and_a_proof() {
    let map = map();
    for (heading, count) in [
        ("## The eleven properties", 11),
        ("## The five concerns", 5),
    ] {
        let rows = rows(&map, heading);
        let numbers: Vec<usize> = rows.iter().map(|row| row[0].parse().unwrap()).collect();
        assert_eq!(numbers, (1..=count).collect::<Vec<_>>(), "{heading}");
        for row in rows {
            let [number, what, failures, cures, proofs, _] = row[..] else {
                panic!("{heading}: {row:?}");
            };
            for (cell, unlike) in [(failures, Side::RightWay), (cures, Side::Mistake)] {
                let names = experiments(cell);
                assert!(!names.is_empty(), "{number} {what}: nothing shows it");
                for (name, page) in names {
                    let sides = sides(name);
                    assert!(!sides.is_empty(), "{number} {what}: there is no `{name}`");
                    assert!(!sides.contains(&unlike), "{number} {what}: `{name}`");
                    let (lesson, _) = name.split_once(' ').unwrap();
                    assert_eq!(page, page_of(lesson), "`{name}`");
                }
            }
            let tests = tests(proofs);
            assert!(!tests.is_empty(), "{number} {what}: nothing proves it");
            for (test, file) in tests {
                let source = fs::read_to_string(project().join("docs").join(file));
                let source = source.unwrap_or_else(|_| panic!("{file} is not there"));
                assert!(
                    source.contains(&format!("#[test]\nfn {test}() {{")),
                    "{file} has no test `{test}`"
                );
            }
        }
    }
}

#[test]
fn the_map_leads_to_every_lesson() {
    let map = map();
    for lesson in all() {
        let page = page_of(lesson.name);
        assert!(map.contains(&format!("]({page})")), "{page}");
    }
}

#[test]
fn every_command_on_the_map_is_one_that_observe_takes() {
    let map = map();
    let names = map.split("[`").skip(1);
    let names = names.filter_map(|rest| rest.split_once("`](../lessons/").map(|(name, _)| name));
    let names: BTreeSet<&str> = names.filter(|name| name.contains(' ')).collect();
    assert!(names.len() > 20, "only {names:?}");
    for name in names {
        assert!(!sides(name).is_empty(), "there is no `{name}`");
    }
}

// ---- The legend --------------------------------------------------------------------------------------

#[test]
fn the_legend_explains_every_column_of_every_table() {
    for lesson in LESSONS {
        if lesson.layout != Layout::Table {
            continue;
        }
        let output = observe(&[lesson.name, "--json"]);
        let found: serde_json::Value = serde_json::from_str(text(&output.stdout)).unwrap();
        let found = found.as_array().expect("findings");
        let facts = found
            .iter()
            .flat_map(|one| one["facts"].as_array().unwrap());
        let columns: BTreeSet<&str> = facts.map(|fact| fact["what"].as_str().unwrap()).collect();
        assert!(!columns.is_empty());
        for column in columns {
            let is_explained = LEGEND.iter().any(|line| line.columns.contains(&column));
            assert!(is_explained, "{}: '{column}'", lesson.name);
        }
    }
}

// ---- Diagrams of states ------------------------------------------------------------------------------

#[test]
fn every_diagram_of_states_has_the_states_of_the_code() {
    let mut shown = 0;
    for (page, _) in pages() {
        let written = fs::read_to_string(&page).unwrap();
        let drawn = written.matches("stateDiagram").count();
        let compared = written.matches("<!-- states of ").count();
        assert_eq!(drawn, compared, "{}", page.display());
        for part in written.split("<!-- states of ").skip(1) {
            let (comment, rest) = part.split_once(" -->\n").expect("the comment ends");
            let (file, name) = comment.split_once(' ').expect("a file and an enum");
            let source = fs::read_to_string(page.parent().unwrap().join(file)).unwrap();
            let diagram = rest.strip_prefix("```mermaid\nstateDiagram-v2\n");
            let diagram = diagram.unwrap_or_else(|| panic!("{comment}: no diagram follows"));
            let (diagram, _) = diagram.split_once("```").expect("the diagram ends");
            assert_eq!(
                states(diagram),
                variants(&source, name),
                "{}",
                page.display()
            );
            shown += 1;
        }
    }
    assert!(
        shown > 3,
        "a journal, a saga, a reservation and a lock have states"
    );
}

/// The states of a diagram.
fn states(diagram: &str) -> BTreeSet<&str> {
    let arrows = diagram.lines().filter_map(|line| line.split_once(" --> "));
    let ends = arrows.flat_map(|(from, to)| [from, to.split(':').next().unwrap_or_default()]);
    let ends = ends.map(str::trim);
    ends.filter(|state| *state != "[*]").collect()
}

/// The variants of an enum in a source.
fn variants<'a>(source: &'a str, name: &str) -> BTreeSet<&'a str> {
    let (_, body) = source
        .split_once(&format!("enum {name} {{\n"))
        .unwrap_or_else(|| panic!("no enum {name}"));
    let (body, _) = body.split_once("\n}").expect("the enum ends");
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let first = |line: &'a str| line.split([',', '(', '{', ' ']).next().unwrap_or_default();
    let names = lines.map(first);
    names
        .filter(|name| name.starts_with(char::is_uppercase))
        .collect()
}
