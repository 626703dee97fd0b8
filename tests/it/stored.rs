//! Stored runs whose suite has changed since, or that are read from another folder.

use crate::support::Project;
use crate::support::project::schema_helps;

fn recorded() -> Project {
    let project = Project::new().suite("tiny").recorded(|request, _| schema_helps(request));
    project.run(["run", "suites/tiny", "-q"]).exits(0);
    project
}

/// The same, and then the suite loses the variant `schema`.
fn without_schema() -> Project {
    let project = recorded();
    let variant =
        "[[variants]]\nname = \"schema\"\nmodel = \"toy/small\"\nprompt = \"v1\"\nstructured = \"json-schema\"\n";
    project.edit("suites/tiny/suite.toml", variant, "");
    project
}

#[test]
fn what_the_suite_no_longer_has_is_said_not_to_be_shown() {
    let project = without_schema();
    let note = "12 trials of `schema` are not shown: the suite has no such variant any more";
    let text = project.env("COLUMNS", "200");
    text.run(["report"]).exits(0).says(note);
    text.run(["report", "--format", "md"]).exits(0).says("12 trials of <code>schema</code> are not shown");
    for form in ["csv", "json"] {
        let told = text.run(["report", "--format", form]).exits(0);
        assert!(told.stderr().contains(note) && !told.stdout().contains("not shown"), "{form}: {}", told.said());
    }
}

#[test]
fn a_stored_run_is_said_to_be_graded_anew() {
    let project = recorded().env("COLUMNS", "200");
    let graded = "graded by the suite as it stands now";
    project.run(["report"]).exits(0).says(graded);
    project.run(["report", "--format", "md"]).exits(0).says(graded);
    assert!(!project.run(["run", "suites/tiny"]).exits(0).said().contains(graded));
}

#[test]
fn nothing_that_can_be_graded_is_no_empty_page() {
    let project = without_schema();
    project.run(["show", "last", "e01", "--variant", "schema"]).exits(2).says("no variant `schema` any more");
    let told = project.run(["show", "last", "e01"]).exits(0);
    assert!(told.stderr().contains("1 trial of `schema` is not shown"), "{}", told.said());
    let told = project.run(["show", "last", "e01", "--variant", "shema"]).exits(2);
    assert!(told.said().contains("no variant `shema`") && told.said().contains("did you mean `schema`?"));
    assert!(told.said().contains("it has: plain, schema"), "{}", told.said());
}

#[test]
fn a_run_is_read_from_any_folder() {
    let project = recorded();
    let elsewhere = tempfile::tempdir().unwrap();
    let store = project.path(".ceiling/store.db");
    let store = ["--store", store.to_str().unwrap()];
    for arguments in [
        &["report"][..],
        &["show", "last", "e01"],
        &["flips", "plain", "schema"],
        &["compare", "plain", "schema"],
        &["decide"],
        &["record", "last", "-o", "r.jsonl"],
    ] {
        let arguments = arguments.iter().chain(&store);
        project.run_in(elsewhere.path(), arguments).exits(0);
    }
    std::fs::rename(project.path("suites"), project.path("moved")).unwrap();
    let told = project.run_in(elsewhere.path(), ["report"].iter().chain(&store)).exits(2);
    assert!(told.said().contains("`ceiling report RUN --suite FOLDER`"), "{}", told.said());
}

#[test]
fn only_flags_contradict_each_other() {
    let project = recorded();
    let told = project.run(["report", "--json", "-o", "y.md"]).exits(2);
    assert!(told.said().contains("ending of `y.md`") && !project.path("y.md").exists(), "{}", told.said());
    project.run(["report", "--json", "-o", "y.json"]).exits(0);
    project.run(["report", "--json", "-o", "y"]).exits(0);
    let project = project.env("CEILING_ROWS", "variants").env("CEILING_BODIES", "1").env("CEILING_FORMAT", "md");
    assert!(project.run(["report"]).exits(0).stdout().starts_with("<!-- ceiling"));
    project.run(["report", "--json"]).exits(0).json();
    project.run(["report", "--help"]).exits(0).says("Examples:");
}
