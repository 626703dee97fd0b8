//! The reference has every command and flag.

use crate::support::Project;

const COMMANDS: &[&[&str]] = &[
    &["check"],
    &["plan"],
    &["run"],
    &["runs"],
    &["show"],
    &["compare"],
    &["decide"],
    &["record"],
    &["calc"],
    &["providers", "list"],
    &["providers", "check"],
    &["providers", "prices"],
];

fn page(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// The long flags of a `--help` text.
fn flags(help: &str) -> impl Iterator<Item = &str> {
    help.lines().filter_map(|line| {
        let flag = line.trim_start().trim_start_matches("-o, ").trim_start_matches("-q, ").trim_start_matches("-v, ");
        let flag = flag.trim_start_matches("-h, ");
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
