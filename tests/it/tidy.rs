//! Rules about the code itself that a machine can check.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The layers from the top down. A file may use what stands below it, and its own layer.
const LAYERS: &[(&str, &[&str])] = &[
    ("top", &["main", "cli"]),
    ("composition", &["server", "doctor"]),
    ("edges", &["socket", "http"]),
    ("what the edges share", &["flask"]),
    ("rules", &["chat"]),
    ("state", &["app"]),
    ("means", &["store", "passwords", "images", "limits", "run", "pressure", "push", "signer"]),
    ("hub", &["hub", "outside"]),
    (
        "leaves",
        &[
            "frames",
            "line",
            "owed",
            "listener",
            "serve",
            "transport",
            "tls",
            "visitor",
            "telemetry",
            "decode",
            "answer",
            "error",
            "config",
            "requests",
        ],
    ),
    ("types", &["types"]),
];

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => walk(&path, found),
                false => found.push((path.clone(), fs::read_to_string(path).unwrap())),
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|(_, modules)| modules.contains(&module))
}

#[test]
fn arrows_point_down_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let module = path.strip_prefix(&root).unwrap().iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        let own = layer_of(module).unwrap_or_else(|| panic!("{module} is in no layer"));
        for used in modules_used(&text) {
            let Some(layer) = layer_of(&used) else { panic!("{} uses unknown {used}", path.display()) };
            if layer < own {
                wrong.push(format!("{} uses crate::{used}, which stands above it", path.display()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// The first part of every `crate::…` path.
fn modules_used(text: &str) -> BTreeSet<String> {
    let word = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    text.match_indices("crate::")
        .flat_map(|(at, found)| {
            let rest = &text[at + found.len()..];
            match rest.strip_prefix('{') {
                Some(list) => list.split('}').next().unwrap().split(',').map(|item| word(item.trim())).collect(),
                None => vec![word(rest)],
            }
        })
        .filter(|module| !module.is_empty())
        .collect()
}

#[test]
fn the_policy_and_the_vault_are_private() {
    for (file, line) in [("chat/mod.rs", "mod policy;"), ("store/mod.rs", "mod vault;")] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file)).unwrap();
        assert!(text.lines().any(|found| found == line), "{file} must have the line {line}");
    }
}

#[test]
fn every_outgoing_event_has_a_snapshot() {
    let snapshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots");
    let names: Vec<String> =
        fs::read_dir(snapshots).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let mut events = BTreeSet::new();
    for (_, text) in sources() {
        let mut rest = text.as_str();
        while let Some(at) = rest.find("impl Outbound for ") {
            rest = &rest[at..];
            let name = rest.split("NAME: &'static str = \"").nth(1).unwrap().split('"').next().unwrap();
            events.insert(name.to_owned());
            rest = &rest[1..];
        }
    }
    assert!(events.len() >= 9, "{events:?}");
    for event in events {
        assert!(names.iter().any(|name| name.contains(&event)), "no snapshot shows {event}");
    }
}

#[test]
fn every_file_says_first_what_it_is() {
    for (path, text) in sources() {
        assert!(text.starts_with("//! "), "{} begins without a line that says what it is", path.display());
    }
}
