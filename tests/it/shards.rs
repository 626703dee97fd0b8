//! A run split over processes and joined again is the run that was not split.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::schemas::fits;
use crate::support::project::{EXAMPLES, right, schema_helps};
use crate::support::{Output, Project, ScriptedServer};

const RUN: [&str; 4] = ["run", "suites/tiny", "--provider", "toy=live"];

/// Starts a shard in a store of its own.
fn start(project: &Project, shard: &str, more: &[&str]) -> Child {
    let store = store(shard);
    project.start(RUN.iter().copied().chain(["--shard", shard, "--store", &store, "-q"]).chain(more.iter().copied()))
}

fn store(shard: &str) -> String {
    format!("shards/{}.db", shard.replace('/', "-of-"))
}

/// Runs all shards at once, as many processes as there are.
fn split(project: &Project, count: usize, more: &[&str]) -> Vec<String> {
    let shards: Vec<String> = (1..=count).map(|index| format!("{index}/{count}")).collect();
    let children: Vec<Child> = shards.iter().map(|shard| start(project, shard, more)).collect();
    for child in children {
        Output::of(child.wait_with_output().unwrap()).exits(0);
    }
    shards.iter().map(|shard| store(shard)).collect()
}

fn merge(project: &Project, stores: &[String]) -> Output {
    project.run(["merge"].into_iter().chain(stores.iter().map(String::as_str)))
}

/// A report without what the clock says.
pub(crate) fn timeless(mut report: Value) -> Value {
    report["began_unix_ms"] = Value::Null;
    for variant in report["variants"].as_array_mut().unwrap() {
        for key in ["ttft_ms", "ttft_any_ms", "total_ms", "in_flight", "cache"] {
            variant[key] = Value::Null;
        }
    }
    for step in report["steps"].as_array_mut().unwrap() {
        step["ttft_p50_ms"] = Value::Null;
    }
    let verdict = report["verdict"].as_object_mut().unwrap();
    verdict["triggers"]["t3"] = Value::Null;
    report
}

/// Checks that two documents are equal, and names the first place where they are not.
#[track_caller]
pub(crate) fn same(one: &Value, other: &Value, at: &str) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>(), "{at}");
            for (key, value) in one {
                same(value, &other[key], &format!("{at}/{key}"));
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (place, (one, other)) in one.iter().zip(other).enumerate() {
                same(one, other, &format!("{at}/{place}"));
            }
        }
        _ => assert_eq!(one, other, "{at}"),
    }
}

#[test]
fn joined_shards_are_the_run_that_was_not_split() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let whole = Project::new().suite("tiny").live(&server);
    let expected = whole.run(RUN.iter().chain(&["--json"])).exits(0).json();
    assert_eq!(expected["part"], Value::Null);
    // More shards than some have examples for.
    for count in [1, 3, 8] {
        let project = Project::new().suite("tiny").live(&server);
        let stores = split(&project, count, &[]);
        let asked = server.count();
        fits(
            &project.run(["merge", "--json"].into_iter().chain(stores.iter().map(String::as_str))).exits(0).json(),
            "merge",
        );
        let joined = project.run(["report", "--json"]).exits(0).json();
        same(&timeless(joined), &timeless(expected.clone()), "");
        // The same command finds nothing to ask: it is the same plan.
        project.run(RUN).exits(0);
        assert_eq!(server.count(), asked);
    }
    assert_eq!(server.count(), 4 * 2 * EXAMPLES, "each example is in one shard");
}

#[test]
fn a_shard_says_that_it_is_one() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = Project::new().suite("tiny").live(&server);
    let first = project.run(RUN.iter().chain(&["--shard", "1/2"])).exits(0);
    assert!(first.stdout().contains("shard 1/2 alone"), "{}", first.stdout());
    let report = project.run(["report", "--json"]).exits(0).json();
    assert_eq!(report["part"], "shard 1/2 alone");
    project.run(["baseline", "last", "-o", "b.json"]).exits(2).says("is shard 1/2 of a run");
    let plan =
        project.run(["plan", "suites/tiny", "--provider", "toy=live", "--shard", "2/2", "--json"]).exits(0).json();
    let asked = report["variants"][0]["n"].as_u64().unwrap() + plan["requests"]["examples"].as_u64().unwrap();
    assert_eq!(asked, EXAMPLES as u64);
    project.run(RUN.iter().chain(&["--shard", "0/2"])).exits(2).says("add 1");
    project.run(RUN.iter().chain(&["--shard", "1/2", "--stop-when-decided"])).exits(2).says("all shards");
}

#[test]
fn the_first_examples_are_the_same_ones_however_they_are_split() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = Project::new().suite("tiny").live(&server);
    let stores = split(&project, 2, &["--limit", "5"]);
    merge(&project, &stores).exits(0);
    let joined = project.run(["report", "--json"]).exits(0).json();
    assert_eq!(joined["variants"][0]["n"], 5);
    assert_eq!(server.count(), 2 * 5);
}

#[test]
fn what_does_not_belong_together_is_not_joined() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = Project::new().suite("tiny").live(&server);
    let stores = split(&project, 3, &[]);
    merge(&project, &stores[..1]).exits(2).says("are missing: 2/3, 3/3");
    merge(&project, &[stores[0].clone(), stores[1].clone(), stores[1].clone()]).exits(2).says("is there twice");
    merge(&project, &["nowhere.db".to_owned()]).exits(2).says("there is no store");
    project.run(["merge", &stores[0], "--store", &stores[0]]).exits(2).says("to be read and to be written");
    assert!(!Path::new(&project.path(".ceiling/store.db")).exists(), "nothing is written before all is looked at");
    // Another plan is another run.
    project.edit("suites/tiny/prompts/v1.md.j2", "Answer in JSON", "Answer in JSON only");
    Output::of(start(&project, "3/3", &["--store", "other.db"]).wait_with_output().unwrap()).exits(2);
    let other = RUN.iter().copied().chain(["--shard", "3/3", "--store", "other.db", "-q"]);
    project.run(other).exits(0);
    merge(&project, &[stores[0].clone(), stores[1].clone(), "other.db".to_owned()])
        .exits(2)
        .says("is a shard of another run");
    // A run of no shard is not joined.
    project.run(RUN.iter().chain(&["--store", "whole.db"])).exits(0);
    merge(&project, &["whole.db".to_owned()]).exits(2).says("has no run of a shard");
    // Shards of one split in two ways.
    project.run(RUN.iter().chain(&["--shard", "1/2", "--store", "half.db"])).exits(0);
    merge(&project, &["other.db".to_owned(), "half.db".to_owned()]).exits(2).says("split in two ways");
}

#[test]
fn joining_again_changes_nothing_and_another_answer_is_refused() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = Project::new().suite("tiny").live(&server);
    let stores = split(&project, 2, &[]);
    merge(&project, &stores).exits(0).says("(24 of them new)");
    let first = project.run(["report", "--json"]).exits(0).json();
    merge(&project, &[stores[1].clone(), stores[0].clone()]).exits(0).says("(0 of them new)");
    assert_eq!(project.run(["report", "--json"]).exits(0).json(), first);
    // A shard that was asked anew has other answers.
    std::fs::remove_file(project.path(&stores[1])).unwrap();
    Output::of(start(&project, "2/2", &[]).wait_with_output().unwrap()).exits(0);
    merge(&project, &stores).exits(2).says("different answers of variant");
    assert_eq!(project.run(["report", "--json"]).exits(0).json(), first);
}

#[test]
fn a_store_that_is_damaged_is_the_one_that_is_named() {
    let server = ScriptedServer::start(|request, _| right(request));
    let project = Project::new().suite("tiny").live(&server);
    let stores = split(&project, 2, &[]);
    let damaged = rusqlite::Connection::open(project.path(&stores[1])).unwrap();
    // An exchange whose row is gone is what a damaged page looks like.
    damaged.pragma_update(None, "foreign_keys", false).unwrap();
    damaged.execute("DELETE FROM exchange", []).unwrap();
    drop(damaged);
    let output = merge(&project, &stores).exits(4);
    assert!(output.said().contains(&format!("`{}`", stores[1])), "{}", output.said());
    project.run(["runs"]).exits(0).says("no runs yet");
}

#[test]
fn a_shard_that_was_stopped_is_joined_as_it_is_and_can_go_on() {
    let server = ScriptedServer::start(|request, _| right(request));
    let project = Project::new().suite("tiny").live(&server);
    let mut stores = split(&project, 2, &[]);
    // The second machine had no time.
    std::fs::remove_file(project.path(&stores[1])).unwrap();
    stores[1] = "late.db".to_owned();
    let late = RUN.iter().copied().chain(["--shard", "2/2", "--store", "late.db", "-q"]);
    project.run(late.clone().chain(["--max-time", "0"])).exits(4);
    let output = merge(&project, &stores).exits(4);
    assert!(output.said().contains("shard 2/2 in `late.db` is not finished"), "{}", output.said());
    let before = server.count();
    let whole = project.run(RUN.iter().chain(&["--json"])).exits(0);
    assert!(whole.stderr().contains("going on with run tiny-1"), "{}", whole.stderr());
    assert_eq!(whole.json()["variants"][0]["n"], EXAMPLES);
    let missing = server.count() - before;
    assert!(missing > 0 && missing < 2 * EXAMPLES, "only that shard's are asked: {missing}");
}

#[test]
fn several_suites_are_split_and_joined_in_one_go() {
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = Project::new().suite("tiny").suite("small").live(&server);
    for shard in ["1/2", "2/2"] {
        let store = store(shard);
        let arguments =
            ["run", "suites/tiny", "suites/small", "--provider", "toy=live", "--shard", shard, "--store", &store];
        project.run(arguments).exits(0);
    }
    let output = merge(&project, &[store("1/2"), store("2/2")]).exits(0);
    assert_eq!(output.stdout().lines().count(), 2, "{}", output.stdout());
    for run in ["tiny-1", "small-2"] {
        assert!(output.stdout().contains(run), "{}", output.stdout());
    }
}

/// The command lines of a manifest, as a shell gets them.
fn commands(manifest: &str, verb: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide").join(manifest);
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| line.trim().trim_start_matches("- ").trim_start_matches("run: "));
    lines.filter(|line| line.starts_with(&format!("ceiling {verb} "))).map(str::to_owned).collect()
}

/// Runs a line as the scheduler would, with its index in the environment.
fn shell(project: &Project, line: &str, environment: &[(&str, String)]) -> Child {
    let bin = Path::new(env!("CARGO_BIN_EXE_ceiling")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.args(["-c", &line.replace("suites/outages", "suites/tiny")]).current_dir(project.path(""));
    command.env_clear().env("PATH", path).envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn the_manifests_do_what_they_say() {
    let manifests: [(&str, &str, &str, usize); 3] = [
        ("kubernetes-indexed-job.yaml", "kubernetes-indexed-job.yaml", "JOB_COMPLETION_INDEX", 0),
        ("slurm-array.sh", "slurm-merge.sh", "SLURM_ARRAY_TASK_ID", 1),
        ("github-matrix.yml", "github-matrix.yml", "", 1),
    ];
    let whole = Project::new().suite("tiny").recorded(|request, _| schema_helps(request));
    let expected = whole.run(["run", "suites/tiny", "--json"]).exits(0).json();
    for (asking, joining, variable, first) in manifests {
        let lines = commands(asking, "run");
        let [line] = lines.as_slice() else { panic!("{asking}: {lines:?}") };
        let project = Project::new().suite("tiny");
        project.write("suites/tiny/recording.jsonl", whole.read("suites/tiny/recording.jsonl").as_bytes());
        let started: Vec<Child> = (first..first + 4)
            .map(|index| {
                let line = line.replace("${{ matrix.shard }}", &index.to_string());
                let environment = [(variable, index.to_string()), ("SLURM_ARRAY_TASK_COUNT", "4".to_owned())];
                shell(&project, &line, if variable.is_empty() { &[] } else { &environment })
            })
            .collect();
        for child in started {
            Output::of(child.wait_with_output().unwrap()).exits(0);
        }
        let lines = commands(joining, "merge");
        let [line] = lines.as_slice() else { panic!("{joining}: {lines:?}") };
        Output::of(shell(&project, line, &[]).wait_with_output().unwrap()).exits(0).says("4 shards, 24 trials");
        let mut joined = project.run(["report", "--store", "outages.db", "--json"]).exits(0).json();
        // The recorded times are the same ones; only how busy the loopback was is not.
        let mut expected = expected.clone();
        for report in [&mut joined, &mut expected] {
            report["began_unix_ms"] = Value::Null;
            report["variants"].as_array_mut().unwrap().iter_mut().for_each(|row| row["in_flight"] = Value::Null);
        }
        same(&joined, &expected, "");
    }
}
