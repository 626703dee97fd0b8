//! What people read on a terminal fits it, and reads without colour.

use crate::plan::shipped;
use crate::support::Project;
use crate::support::project::schema_helps;

#[track_caller]
fn fits(text: &str, width: usize) {
    for line in text.lines() {
        assert!(line.chars().count() <= width, "{width}: {line}");
    }
}

#[test]
fn every_shipped_suite_fits_its_terminal() {
    for (suite, widths) in [("outages", [60, 80, 200]), ("claims", [40, 73, 100]), ("routing", [80, 40, 120])] {
        let mut project = Project::new().env("COLUMNS", &widths[0].to_string());
        let run = project.run(["run".as_ref(), shipped(suite).as_os_str(), "-q".as_ref()]).exits(0);
        fits(run.stdout(), widths[0]);
        for width in widths {
            project = project.env("COLUMNS", &width.to_string());
            fits(project.run(["report"]).exits(0).stdout(), width);
        }
    }
}

#[test]
fn colours_only_repeat_what_words_and_marks_say() {
    let project = Project::new().suite("tiny").recorded(|request, _| schema_helps(request));
    project.run(["run", "suites/tiny", "-q"]).exits(0);
    let plain = ["report", "decide"].map(|command| project.run([command]).exits(0).stdout().to_owned());
    let project = project.env("CLICOLOR_FORCE", "1");
    let coloured = ["report", "decide"].map(|command| project.run([command]).exits(0).stdout().to_owned());
    let project = project.env("NO_COLOR", "1");
    let neither = ["report", "decide"].map(|command| project.run([command]).exits(0).stdout().to_owned());
    assert_eq!(neither, plain);
    for (plain, coloured) in plain.iter().zip(&coloured) {
        assert!(!plain.contains('\u{1b}'), "a pipe gets no escape codes");
        assert!(coloured.contains("\u{1b}[1m"), "{coloured}");
        assert_eq!(console::strip_ansi_codes(coloured), *plain);
    }
}
