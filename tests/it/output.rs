//! Where output goes: files, links, pipes, devices, and what is said where they take nothing.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Stdio};

use crate::support::Project;
use crate::support::project::schema_helps;

fn recorded() -> Project {
    let project = Project::new().suite("tiny").recorded(|request, _| schema_helps(request));
    project.run(["run", "suites/tiny", "-q"]).exits(0);
    project
}

/// The names of what lies beside a report until it is whole.
fn left(project: &Project) -> usize {
    project.files().into_iter().filter(|(path, _)| path.to_string_lossy().ends_with(".tmp")).count()
}

#[test]
fn a_link_stays_a_link_and_a_file_keeps_its_permissions() {
    let project = recorded();
    project.write("kept/real.md", b"old");
    std::fs::set_permissions(project.path("kept/real.md"), std::fs::Permissions::from_mode(0o640)).unwrap();
    symlink("kept/real.md", project.path("link.md")).unwrap();
    symlink("kept/new.md", project.path("dangling.md")).unwrap();
    for link in ["link.md", "dangling.md"] {
        project.run(["report", "-o", link]).exits(0);
        assert!(project.path(link).is_symlink());
    }
    assert!(project.read("kept/real.md").starts_with("<!-- ceiling"));
    assert!(project.read("kept/new.md").starts_with("<!-- ceiling"));
    let mode = std::fs::metadata(project.path("kept/real.md")).unwrap().permissions().mode();
    assert_eq!((mode & 0o777, left(&project)), (0o640, 0));
}

#[test]
fn what_is_no_file_is_written_and_not_replaced() {
    let project = recorded();
    project.run(["report", "-o", "/dev/null", "--format", "md"]).exits(0);
    let told = project.run(["report", "-o", "/dev/stdout", "--format", "md", "-q"]).exits(0);
    assert!(told.stdout().starts_with("<!-- ceiling"), "{}", told.said());
    if Command::new("mkfifo").arg(project.path("pipe.csv")).status().is_ok_and(|ended| ended.success()) {
        let reader = Command::new("cat").arg(project.path("pipe.csv")).stdout(Stdio::piped()).spawn().unwrap();
        project.run(["report", "-o", "pipe.csv"]).exits(0);
        let read = reader.wait_with_output().unwrap().stdout;
        assert!(read.starts_with(b"run,suite,variant,"));
        assert!(!project.path("pipe.csv").is_file());
        std::fs::remove_file(project.path("pipe.csv")).unwrap();
    }
    assert_eq!(left(&project), 0);
}

#[test]
fn the_store_is_never_written_over() {
    let project = recorded();
    let before = project.read_store();
    symlink(".ceiling/store.db", project.path("link.md")).unwrap();
    for name in [".ceiling/store.db", "./.ceiling/../.ceiling/store.db", "link.md"] {
        project.run(["report", "-o", name, "--format", "md"]).exits(2).says("is the store");
        project.run(["record", "last", "-o", name]).exits(2).says("is the store");
        project.run(["baseline", "last", "-o", name]).exits(2).says("is the store");
    }
    assert!(project.read_store() == before);
}

#[test]
fn a_name_may_be_as_long_as_the_system_lets_it_be() {
    let project = recorded();
    let name = format!("{}.md", "n".repeat(247));
    project.run(["report", "-o", &name]).exits(0);
    assert!(project.read(&name).starts_with("<!-- ceiling"));
}

#[test]
fn a_full_disk_is_an_error() {
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    let project = recorded();
    for arguments in [
        &["run", "suites/tiny"][..],
        &["run", "suites/tiny", "--json"],
        &["report"],
        &["report", "--json"],
        &["report", "--format", "csv"],
        &["compare", "plain", "schema"],
        &["decide", "--json"],
        &["runs"],
        &["show", "last", "e01"],
        &["report", "-o", "/dev/full", "--format", "md"],
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let told = project.run_into(arguments, full).exits(4);
        assert!(told.stderr().contains("No space left"), "{arguments:?}: {}", told.said());
    }
}

#[test]
fn a_pipe_of_few_columns_is_as_narrow_as_can_be_read() {
    let project = recorded().env("COLUMNS", "10");
    let told = project.run(["flips", "plain", "schema"]).exits(0);
    // But for the command at the end, which is to be pasted.
    let fits = |line: &str| line.starts_with('`') || line.chars().count() <= 40;
    assert!(told.stdout().lines().all(fits), "{}", told.stdout());
}
