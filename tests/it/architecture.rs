//! The layers of STYLE.md 2.3, the doors, and the registries, read from the source itself.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What each module may import, besides itself: itself and what stands left of it in its layer's
/// order, and every layer below.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    // Layer 0.
    ("stats", &[]),
    // Layer 1; `document` reads TOML with places, so it stands above `diagnostic`.
    ("units", &[]),
    ("digest", &[]),
    ("text", &[]),
    ("pipeline", &[]),
    ("diagnostic", &["text"]),
    ("document", &["diagnostic", "text"]),
    // Layer 2, in this order.
    ("exchange", &["LAYER1"]),
    ("provider", &["LAYER1", "exchange"]),
    ("variant", &["LAYER1", "exchange", "provider"]),
    ("suite", &["LAYER1", "exchange", "provider", "variant"]),
    ("trial", &["LAYER1", "exchange", "provider", "variant", "suite"]),
    // Layer 3.
    ("wire", &["LAYER1", "LAYER2"]),
    ("prompt", &["LAYER1", "LAYER2", "wire"]),
    ("plan", &["stats", "LAYER1", "LAYER2", "prompt"]),
    ("init", &["stats", "LAYER1", "LAYER2", "prompt"]),
    ("provider_check", &["LAYER1", "LAYER2", "wire"]),
    ("import", &["LAYER1", "LAYER2", "wire"]),
    ("score", &["stats", "LAYER1", "LAYER2"]),
    ("measure", &["stats", "LAYER1", "LAYER2", "score", "wire"]),
    // Layer 4.
    ("decide", &["stats", "LAYER1", "LAYER2", "LAYER3"]),
    ("calc", &["stats", "LAYER1", "decide"]),
    ("gate", &["stats", "LAYER1", "LAYER2", "LAYER3"]),
    ("training", &["stats", "LAYER1", "LAYER2", "LAYER3"]),
    ("report", &["stats", "LAYER1", "LAYER2", "LAYER3", "decide", "calc", "gate", "training"]),
    // Layer 5.
    ("store", &["LAYER1", "LAYER2", "LAYER3"]),
    ("replay", &["LAYER1", "LAYER2", "LAYER3"]),
    ("run", &["LAYER1", "LAYER2", "LAYER3", "store", "replay"]),
    // Layer 6 may import everything.
];

const LAYER1: &[&str] = &["units", "digest", "text", "pipeline", "diagnostic", "document"];
const LAYER2: &[&str] = &["exchange", "provider", "variant", "suite", "trial"];
const LAYER3: &[&str] = &["wire", "prompt", "plan", "score", "measure", "import"];

/// Layer 6.
const TOP: &[&str] = &["cli", "error", "lib", "main"];

/// Where the source departs from the table: (module, what it imports, why).
const DEVIATIONS: &[(&str, &str, &str)] =
    &[("suite", "score", "a test compares the kinds that suite.toml may name with those that can be built")];

/// Crates that one place alone may name.
const DOORS: &[(&str, &str)] = &[
    ("reqwest", "run/http.rs"),
    ("rusqlite", "store/"),
    ("zstd", "store/pack.rs"),
    ("jsonschema", "suite/schema.rs"),
    ("minijinja", "prompt/template.rs"),
    ("statrs", "stats/"),
    ("clap", "cli/"),
    ("unicode_width", "text.rs"),
    ("saphyr_parser", "init/yaml.rs"),
];

/// Lines of a file beyond which it holds more than one thing.
const LONGEST_FILE: usize = 500;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of `src/`, as (path below src, text).
fn sources() -> Vec<(String, String)> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let src = root().join("src");
    let mut paths = Vec::new();
    below(&src, &mut paths);
    paths.sort();
    let name = |path: &Path| path.strip_prefix(&src).unwrap().to_string_lossy().replace('\\', "/");
    paths.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect()
}

/// The code of a file: comments left out.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// The module that a file belongs to.
fn module(path: &str) -> &str {
    path.split('/').next().unwrap_or(path).trim_end_matches(".rs")
}

/// The modules that a line of code names by `crate::`.
fn imports(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("crate::").map(|(at, found)| {
        let rest = &line[at + found.len()..];
        let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '_')).unwrap_or(rest.len());
        &rest[..end]
    })
}

fn allowed(module: &str) -> BTreeSet<&'static str> {
    let listed = MAY_IMPORT.iter().find(|(name, _)| *name == module).map_or(&[][..], |(_, allowed)| *allowed);
    listed
        .iter()
        .flat_map(|name| match *name {
            "LAYER1" => LAYER1.to_vec(),
            "LAYER2" => LAYER2.to_vec(),
            "LAYER3" => LAYER3.to_vec(),
            other => vec![other],
        })
        .collect()
}

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for (path, text) in sources() {
        let module = module(&path);
        if TOP.contains(&module) {
            continue;
        }
        assert!(MAY_IMPORT.iter().any(|(name, _)| *name == module), "`{module}` has no place in the layers");
        let allowed = allowed(module);
        for line in code(&text) {
            assert!(!line.contains("crate::{"), "{path}: import module by module, so that each can be seen: {line}");
            for import in imports(line).filter(|import| !import.is_empty() && *import != module) {
                if let Some(deviation) = DEVIATIONS.iter().find(|(from, to, _)| *from == module && *to == import) {
                    used.insert(deviation);
                } else if !allowed.contains(import) {
                    wrong.push(format!("{path}: `{module}` must not import `{import}`"));
                }
            }
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(used.len(), DEVIATIONS.len(), "a deviation that is gone leaves the list");
}

#[test]
fn each_door_is_one_place() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (library, door) in DOORS {
            let names = |line: &str| {
                line.contains(&format!("{library}::")) || line.trim_start().starts_with(&format!("use {library}"))
            };
            // The program itself parses its arguments.
            let is_door = path.starts_with(door) || (*library == "clap" && path == "main.rs");
            if !is_door && code(&text).any(names) {
                wrong.push(format!("{path} names `{library}`, which is for {door} alone"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_file_is_too_long_and_each_says_what_it_is() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let lines = text.lines().count();
        if lines > LONGEST_FILE {
            wrong.push(format!("{path} has {lines} lines"));
        }
        let tests = path.ends_with("tests.rs") || path.contains("/tests/");
        if !tests && !text.starts_with("//!") {
            wrong.push(format!("{path} does not open with what it is"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_wire_and_scorer_is_tested() {
    let files = sources();
    let has_tests = |path: &str| {
        let folder = path.trim_end_matches(".rs");
        files.iter().any(|(name, text)| {
            (name == path && text.contains("mod tests")) || name.starts_with(&format!("{folder}/tests"))
        })
    };
    for (kind, _) in ceiling::score::KINDS {
        let path = format!("score/{}.rs", kind.replace('-', "_"));
        assert!(files.iter().any(|(name, _)| *name == path), "the scorer `{kind}` is not in {path}");
        assert!(has_tests(&path), "{path} has no tests");
    }
    // Wires are tested by the fixtures, and by what the fixtures do not have.
    let conformance = include_str!("conformance/mod.rs");
    for (path, text) in &files {
        if path.starts_with("wire/") && text.contains("impl Wire for") {
            let kind = path.trim_start_matches("wire/").trim_end_matches(".rs");
            assert!(conformance.contains(kind), "no conformance test for the wire `{kind}`");
        }
    }
}

#[test]
fn every_provider_file_ships() {
    let mut files: Vec<String> = std::fs::read_dir(root().join("providers"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter_map(|name| name.strip_suffix(".toml").map(str::to_owned))
        .collect();
    files.sort();
    let mut embedded: Vec<&str> = ceiling::provider::load::BUILT_IN.iter().map(|(name, _)| *name).collect();
    embedded.sort_unstable();
    assert_eq!(files, embedded);
    let providers = ceiling::provider::load::load(&[]).unwrap();
    assert_eq!(providers.names().count(), embedded.len(), "one of them cannot be used");
}
