//! The reference has every command and flag.

use std::path::{Path, PathBuf};

use crate::support::Project;

const COMMANDS: &[&[&str]] = &[
    &["init"],
    &["check"],
    &["plan"],
    &["probe"],
    &["run"],
    &["runs"],
    &["show"],
    &["compare"],
    &["flips"],
    &["decide"],
    &["labels"],
    &["import"],
    &["record"],
    &["merge"],
    &["store", "check"],
    &["store", "prune"],
    &["store", "vacuum"],
    &["store", "export"],
    &["completions"],
    &["schema"],
    &["report"],
    &["view"],
    &["export"],
    &["accept"],
    &["baseline"],
    &["gate"],
    &["tune", "submit"],
    &["tune", "status"],
    &["tune", "cancel"],
    &["tune", "local"],
    &["calc"],
    &["providers", "list"],
    &["providers", "check"],
    &["providers", "prices"],
];

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// The long flags of a `--help` text.
fn flags(help: &str) -> impl Iterator<Item = &str> {
    help.lines().filter_map(|line| {
        let flag = line.trim_start().trim_start_matches("-o, ").trim_start_matches("-q, ").trim_start_matches("-v, ");
        let flag = flag.trim_start_matches("-h, ").trim_start_matches("-y, ").trim_start_matches("-w, ");
        flag.starts_with("--").then(|| flag.split([' ', '.']).next().unwrap_or_default())
    })
}

#[test]
fn every_command_and_flag_is_in_the_reference() {
    let page = page("commands.md");
    for command in COMMANDS {
        assert!(page.contains(&format!("## ceiling {}", command.join(" "))), "{command:?}");
        let help = Project::new().run(command.iter().copied().chain(["--help"])).exits(0);
        let help = help.stdout();
        assert!(flags(help).count() >= 4, "{help}");
        for flag in flags(help) {
            assert!(page.contains(&format!("`{flag}")), "{flag} of {command:?}");
        }
    }
    let help = Project::new().run(["--help"]).exits(0);
    for name in help.stdout().lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()) {
        let known = name.is_empty() || name.starts_with('-') || name == "help";
        assert!(known || COMMANDS.iter().any(|command| command[0] == name), "{name} is not in the reference");
    }
}

/// The pages of a folder and those within.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|path| path.is_dir());
    let own = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    own.chain(folders.iter().flat_map(|folder| pages(folder))).collect()
}

/// The text outside code, whose brackets are no links.
fn prose(page: &str) -> String {
    let outside = page.split("```").step_by(2).flat_map(str::lines);
    outside.map(|line| line.split('`').step_by(2).collect::<Vec<_>>().join("`") + "\n").collect()
}

/// A heading as a link names it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = pages(&root.join("docs"));
    all.extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root.join(name)));
    let mut broken = Vec::new();
    for path in all {
        let page = std::fs::read_to_string(&path).unwrap();
        let prose = prose(&page);
        for link in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            let to = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let headings = |page: &str| {
                page.lines().any(|line| line.starts_with('#') && anchor(line.trim_start_matches('#')) == place)
            };
            let leads = to.exists() && (place.is_empty() || headings(&std::fs::read_to_string(&to).unwrap()));
            if !leads {
                broken.push(format!("{}: {link}", path.strip_prefix(root).unwrap().display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
