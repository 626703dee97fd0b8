//! Scorers that are the user's own processes.

use serde_json::json;

use crate::support::Project;
use crate::support::project::schema_helps;

fn project(script: &str) -> Project {
    let project = Project::new().suite("tiny").recorded(|request, _| schema_helps(request));
    let scorer = "kind = \"command\"\ncommand = [\"sh\", \"score.sh\"]\nat = \"/label\"";
    project.edit("suites/tiny/suite.toml", "kind = \"exact\"\nat = \"/label\"", scorer);
    project.write("suites/tiny/score.sh", script.as_bytes());
    project
}

#[test]
fn a_process_scores_and_is_asked_once_for_each_question() {
    let script = r#"echo started >> asked.txt
while read -r line; do
  echo "$line" >> asked.txt
  case "$line" in
    *'"expected":"red"'*'"answer":"red"'*|*'"expected":"blue"'*'"answer":"blue"'*) echo '{"score": 1}' ;;
    *) echo '{"score": 0.5}' ;;
  esac
done
"#;
    let project = project(script);
    let output = project.run(["run", "suites/tiny", "--json"]).exits(0).json();
    // Schema: 8 of 12 whole, 4 green ones half. Plain, always red: 4 whole, 8 half.
    assert_eq!(output["variants"][1]["accuracy"]["point"], json!(10.0 / 12.0), "{output}");
    assert_eq!(output["variants"][0]["accuracy"]["point"], json!(8.0 / 12.0), "{output}");
    let asked = project.read("suites/tiny/asked.txt");
    project.run(["run", "suites/tiny"]).exits(0);
    assert_eq!(project.read("suites/tiny/asked.txt"), asked, "replies are kept");
}

#[test]
fn a_process_that_fails_is_a_clear_error() {
    let ended = project("read -r line\necho '{\"score\": 1}'\necho 'no such file: weights.bin' >&2\nexit 3\n");
    ended.run(["run", "suites/tiny"]).exits(2).says("the scorer `sh` ended after 1 of").says("weights.bin");
    let babble = project("while read -r line; do echo good; done\n");
    babble.run(["run", "suites/tiny"]).exits(2).says("reply 1").says("not JSON").says("hint:");
    let none = project("");
    none.edit("suites/tiny/suite.toml", "[\"sh\", \"score.sh\"]", "[\"no-such-program-at-all\"]");
    none.run(["run", "suites/tiny"]).exits(2).says("failed to start the scorer `no-such-program-at-all`");
}
