//! The guide to a decision on training prints what it says, step by step.

use crate::evidence::{block, prints, reference};
use crate::plan::shipped;
use crate::support::Project;

fn guide() -> String {
    reference("../guide/before-you-fine-tune.md")
}

#[test]
fn the_shipped_suite_goes_as_the_guide_says() {
    let (page, project) = (guide(), Project::new());
    let suite = shipped("outages");
    prints(&project.run(["plan".as_ref(), suite.as_os_str()]).exits(0), block(&page, "## 1. Plan", "text"));
    project.run(["run".as_ref(), suite.as_os_str(), "--quiet".as_ref()]).exits(0);
    prints(&project.run(["compare", "schema", "tuned"]).exits(0), block(&page, "## 3. Compare", "text"));
    prints(&project.run(["decide"]).exits(0), block(&page, "## 4. Decide", "text"));
}

#[test]
fn the_worked_example_goes_as_its_page_says() {
    let (page, project) = (reference("../guide/worked-example.md"), Project::new());
    let suite = shipped("outages");
    let extract = |after: &str| block(&page, after, "text");
    let variants = |section: &str| {
        let command = block(&page, section, "sh").lines().next().unwrap().to_owned();
        command.split_once("--variants ").unwrap().1.to_owned()
    };
    let run = |variants: &str| {
        let arguments = ["run".as_ref(), suite.as_os_str(), "-q".as_ref(), "--variants".as_ref(), variants.as_ref()];
        project.run(arguments).exits(0)
    };
    run(&variants("## 1. Before"));
    project.run(["probe".as_ref(), suite.as_os_str(), "-q".as_ref()]).exits(0);
    prints(&project.run(["decide"]).exits(0), extract("<!-- before -->"));
    run(&variants("## 2. The first LoRA"));
    prints(&project.run(["decide"]).exits(0), extract("<!-- undertrained -->"));
    project.run(["run".as_ref(), suite.as_os_str(), "-q".as_ref()]).exits(0);
    prints(&project.run(["decide"]).exits(0), extract("<!-- trained on -->"));
}

/// The complete example of the evidence page, changed.
fn changed(change: impl Fn(&mut toml::Table)) -> Project {
    let mut example = block(&reference("evidence.md"), "## A complete example", "toml").parse().unwrap();
    change(&mut example);
    Project::new().file("triage.toml", &example.to_string())
}

#[track_caller]
fn says(extract: &str, change: impl Fn(&mut toml::Table)) {
    prints(&changed(change).run(["decide", "--evidence", "triage.toml", "--as-of", "2026-11-26"]).exits(0), extract);
}

fn volume(example: &mut toml::Table, requests: i64) {
    example["targets"]["monthly_requests"] = requests.into();
}

#[test]
fn one_piece_of_the_evidence_taken_away_changes_what_the_guide_says_it_changes() {
    let page = guide();
    let extract = |after: &str| block(&page, after, "text");
    says(extract("<!-- without [label_audit] -->"), |example| drop(example.remove("label_audit")));
    says(extract("under `[data]`, as `audit"), |_| {});
    says(extract("<!-- without [economics] -->"), |example| drop(example.remove("economics")));
    says(extract("With it, at a million requests a month:"), |_| {});
    says(extract("<!-- monthly_requests = 100_000 -->"), |example| volume(example, 100_000));
    says(extract("<!-- monthly_requests = 20_000 -->"), |example| volume(example, 20_000));
    says(extract("<!-- monthly_requests = 20_000, value_per_error_usd = 0.5 -->"), |example| {
        volume(example, 20_000);
        example["economics"].as_table_mut().unwrap().insert("value_per_error_usd".into(), 0.5.into());
    });
}
