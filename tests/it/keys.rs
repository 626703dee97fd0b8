//! Keys from the file `.env`: for providers alone, behind the environment, and never seen again.

use crate::support::project::{KEY_VARIABLE, right};
use crate::support::{Project, ScriptedServer};

const RUN: [&str; 4] = ["run", "suites/tiny", "--provider", "toy=live"];
const SECRET: &str = "sk-from-the-file-0123456789";

/// A project whose provider wants a key that is not in the environment.
fn keyless(server: &ScriptedServer) -> Project {
    let file = format!(
        "kind = \"openai-chat\"\nbase_url = \"{}\"\napi_key_env = \"{KEY_VARIABLE}\"\n[models.small]\n",
        server.base_url()
    );
    Project::new().suite("tiny").file("providers/live.toml", &file)
}

/// The key of each request.
fn sent(server: &ScriptedServer) -> Vec<String> {
    server.seen().iter().map(|request| request.headers["authorization"].clone()).collect()
}

#[test]
fn a_key_comes_from_the_file_and_is_seen_nowhere() {
    let server = ScriptedServer::start(|request, _| right(request));
    let project = keyless(&server);
    project.run(RUN).exits(2).says(KEY_VARIABLE);
    let project = project.file(".env", &format!("# keys\nexport {KEY_VARIABLE}='{SECRET}'\n"));
    project.run(RUN.iter().chain(&["--no-env-file"])).exits(2).says(KEY_VARIABLE);
    let output = project.run(RUN.iter().chain(&["-vv", "--json"])).exits(0);
    assert!(!output.said().contains(SECRET));
    assert!(sent(&server).iter().all(|sent| *sent == format!("Bearer {SECRET}")));
    let leaks = project.files().into_iter().filter(|(path, _)| !path.ends_with(".env"));
    for (path, bytes) in leaks {
        assert!(!bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()), "{}", path.display());
    }
    project.run(["check", "suites/tiny", "--provider", "toy=live"]).exits(0).says("0 warnings");
}

#[test]
fn the_environment_comes_first() {
    let server = ScriptedServer::start(|request, _| right(request));
    let project = keyless(&server).file(".env", &format!("{KEY_VARIABLE}={SECRET}\n")).env(KEY_VARIABLE, "sk-own");
    project.run(RUN).exits(0);
    assert!(sent(&server).iter().all(|sent| sent == "Bearer sk-own"));
    // A variable that is empty is set all the same.
    let emptied = keyless(&server).file(".env", &format!("{KEY_VARIABLE}={SECRET}\n")).env(KEY_VARIABLE, "");
    emptied.run(RUN).exits(2).says("is not set");
    let opted_out =
        keyless(&server).file(".env", &format!("{KEY_VARIABLE}={SECRET}\n")).env("CEILING_NO_ENV_FILE", "true");
    opted_out.run(RUN).exits(2).says(KEY_VARIABLE);
}

#[test]
fn no_child_process_gets_it_and_no_flag_comes_from_it() {
    let server = ScriptedServer::start(|request, _| right(request));
    let project = keyless(&server).file(".env", &format!("{KEY_VARIABLE}={SECRET}\nCEILING_LIMIT=3\n"));
    let scorer = "kind = \"command\"\ncommand = [\"sh\", \"score.sh\"]\nat = \"/label\"";
    project.edit("suites/tiny/suite.toml", "kind = \"exact\"\nat = \"/label\"", scorer);
    project.write("suites/tiny/score.sh", b"env > environment; while read -r line; do echo '{\"score\": 1}'; done");
    let report = project.run(RUN.iter().chain(&["--json"])).exits(0).json();
    assert_eq!(report["variants"][0]["n"], 12);
    assert!(!project.read("suites/tiny/environment").contains(KEY_VARIABLE));
}

#[test]
fn a_line_that_is_unclear_is_named_and_stops_only_who_wants_its_key() {
    let server = ScriptedServer::start(|request, _| right(request));
    let unclear = format!("A=1\n{KEY_VARIABLE}={SECRET} {SECRET}\n");
    let project = keyless(&server).file(".env", &unclear);
    for flags in [vec![], vec!["-q"], vec!["--json"]] {
        let output = project.run(RUN.iter().chain(&flags)).exits(2);
        assert!(
            output.stderr().contains("`.env` line 2 is not read: `SCRIPTED_KEY`: a value with spaces"),
            "{flags:?}"
        );
        assert!(!output.said().contains(SECRET));
    }
    project.run(["check", "suites/tiny"]).says("line 2 is not read");
    // What other programs keep there is theirs.
    let others = format!("PEM=\"-----BEGIN\nabc\n-----END\"\nmy.name=1\nexport BARE\n{KEY_VARIABLE}={SECRET}\n");
    project.write(".env", others.as_bytes());
    project.run(RUN).exits(0).says("`.env` line 1 is not read: `PEM`: the quote is not closed in its line; nor 4 more");
    let said = project.run(RUN.iter().chain(&["--no-env-file"])).exits(2).said();
    assert!(!said.contains("line 1"), "{said}");
    project.write(".env", b"\xff\xfe");
    project.run(RUN).exits(2).says("`.env` is not read: ");
    // Who asks nobody does not read it.
    project.run(["calc", "--list"]).exits(0);
    // A folder of this name is a Python environment.
    std::fs::remove_file(project.path(".env")).unwrap();
    std::fs::create_dir(project.path(".env")).unwrap();
    let said = project.run(["check", "suites/tiny"]);
    assert!(!said.said().contains(".env"), "{}", said.said());
}

#[test]
fn the_environment_may_say_yes_in_any_usual_way_and_what_is_empty_is_not_set() {
    let project = Project::new().suite("tiny").recorded(|request, _| right(request));
    let run = ["run", "suites/tiny", "--limit", "3"];
    for (value, is_json) in [("1", true), ("yes", true), ("true", true), ("0", false), ("false", false), ("", false)] {
        let output = project.run_with(&[("CEILING_JSON", value)], &run).exits(0);
        assert_eq!(output.stdout().starts_with('{'), is_json, "{value:?}");
    }
    project.run_with(&[("CEILING_FRESH", "perhaps")], &run).exits(2).says("--fresh");
    let names = ["SHARD", "STORE", "LIMIT", "EXAMPLES", "VARIANTS", "TAG", "PROVIDER", "MAX_COST", "FRESH", "PACE"];
    let names = names.map(|name| format!("CEILING_{name}"));
    let empty = names.each_ref().map(|name| (name.as_str(), ""));
    let report = project.run_with(&empty, &["run", "suites/tiny", "--json"]).exits(0).json();
    assert_eq!(report["variants"][0]["n"], 12);
    project.run(["baseline", "last", "-o", "base.json", "--variant", "plain"]).exits(0);
    let gate = ["gate", "suites/tiny", "--baseline", "base.json", "--inconclusive", "pass", "--variant", "plain"];
    project.run_with(&[("GITHUB_STEP_SUMMARY", ""), ("CEILING_JUNIT", "")], &gate).exits(0);
}

/// Shells that are here read the script that is made for them.
#[test]
fn completions_and_pages_are_printed() {
    let project = Project::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = project.run(["completions", shell]).exits(0);
        assert!(script.stdout().contains("only-failed") && script.stdout().contains("merge"), "{shell}");
        let file = project.path(&format!("completions.{shell}"));
        std::fs::write(&file, script.stdout()).unwrap();
        if let Ok(checked) = std::process::Command::new(shell).arg("-n").arg(&file).output() {
            assert!(checked.status.success(), "{shell}: {}", String::from_utf8_lossy(&checked.stderr));
        }
    }
    project.run(["completions", "tcsh"]).exits(2);
    let page = project.run(["man"]).exits(0);
    assert!(page.stdout().contains(".TH ceiling 1") && page.stdout().contains("ceiling\\-run"), "{}", page.stdout());
    let run = project.run(["man", "run"]).exits(0);
    assert!(run.stdout().contains("ceiling\\-run") && run.stdout().contains("only\\-failed"), "{}", run.stdout());
    project.run(["man", "providers", "check"]).exits(0);
    project.run(["man", "fly"]).exits(2).says("there is no command `fly`");
}
