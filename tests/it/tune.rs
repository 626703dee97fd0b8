//! `ceiling tune`: a job at a provider, with everything that can go wrong on the way, and what it leaves in the suite.

use serde_json::{Value, json};

use ceiling::digest::Digest;

use crate::support::project::KEY_VARIABLE;
use crate::support::tuning::{Fault, KEY, TuningServer, Vendor};
use crate::support::{Output, Project};

const MANIFEST: &str = "out/train.manifest.json";
const STATE: &str = "out/train.tune.json";
const SUBMIT: [&str; 6] = ["tune", "submit", MANIFEST, "--provider", "vendor", "--yes"];
const STATUS: [&str; 3] = ["tune", "status", MANIFEST];
const WATCH: [&str; 6] = ["tune", "status", MANIFEST, "--watch", "--poll-ms", "1"];

/// The tiny suite, training files of 12 and 3 rows, and a provider at the server.
fn project(server: &TuningServer) -> Project {
    let format = if server.provider().contains("together") { "together" } else { "openai-chat" };
    exported(format, Project::new().suite("tiny"))
        .file("providers/vendor.toml", &server.provider())
        .env(KEY_VARIABLE, KEY)
}

/// Training files as `ceiling export` writes them.
fn exported(format: &str, project: Project) -> Project {
    let row =
        "{\"messages\":[{\"role\":\"user\",\"content\":\"the ball\"},{\"role\":\"assistant\",\"content\":\"red\"}]}\n";
    let facts = |path: &str, rows: usize| {
        let text = row.repeat(rows);
        json!({"path": path, "rows": rows, "bytes": text.len(), "sha256": Digest::of(text.as_bytes()),
               "tokens_estimated": rows * 100, "clusters": rows})
    };
    let none = Digest::of(b"");
    let manifest = json!({
        "family": "ceiling/training", "version": 1, "created": "2026-11-26",
        "suite": {"name": "tiny", "folder": "../suites/tiny", "digest": none},
        "format": format, "method": "supervised",
        "source": {"kind": "labels", "run": null, "variant": null, "filters": {}, "spent_usd": null},
        "files": {"train": facts("train.jsonl", 12), "validation": facts("train.validation.jsonl", 3)},
        "prompt": {"name": "v1", "system": "Name the colour: {{ labels }}. Answer in JSON.", "user": "{{ input }}"},
        "structured": "json-schema", "params": {"temperature": 0, "max_tokens": 32},
        "base_model": "vendor/small", "epochs": 3, "training_cost_usd": null,
        "acceptance": {"target": 0.9, "alpha": 0.05, "margin": 0.02, "repeats": 1,
            "examples": {"count": 0, "digest": none, "each": {}}, "scorer": {}, "schema_digest": null, "incumbent": null},
    });
    project
        .file("out/train.jsonl", &row.repeat(12))
        .file("out/train.validation.jsonl", &row.repeat(3))
        .file(MANIFEST, &manifest.to_string())
}

fn state(project: &Project) -> Value {
    serde_json::from_str(&project.read(STATE)).unwrap()
}

fn change(project: &Project, change: impl FnOnce(&mut Value)) {
    let mut manifest: Value = serde_json::from_str(&project.read(MANIFEST)).unwrap();
    change(&mut manifest);
    project.write(MANIFEST, manifest.to_string().as_bytes());
}

/// What a succeeded job of OpenAI's says.
fn tuned() -> Value {
    json!({"fine_tuned_model": "ft:small:acme:tiny:AbC1", "trained_tokens": 3600})
}

fn has_no_key(project: &Project, output: &Output) {
    assert!(!output.said().contains(KEY), "{}", output.said());
    for (path, bytes) in project.files() {
        assert!(!bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes()), "{}", path.display());
    }
}

#[test]
fn a_job_is_submitted_followed_and_its_model_becomes_a_variant() {
    let server = TuningServer::start(Vendor::Openai);
    let project = project(&server);
    let before = project.read("suites/tiny/suite.toml");
    let submitted = project.run(SUBMIT).exits(0);
    insta::assert_snapshot!(submitted.stdout());
    let created = server.created();
    assert_eq!((&created["training_file"], &created["validation_file"]), (&"file-1".into(), &"file-2".into()));
    assert_eq!(created["method"]["supervised"]["hyperparameters"]["n_epochs"], 3);
    assert_eq!((&created["model"], &created["suffix"]), (&"small".into(), &"tiny".into()));
    server.goes(&["validating_files", "running", "warming_up", "succeeded"], tuned());
    let followed = project.run(WATCH).exits(0);
    assert!(followed.stderr().contains("ftjob-1: warming_up"), "an unknown state is shown as it is said");
    assert!(followed.stderr().contains("Created fine-tuning job"), "{}", followed.stderr());
    insta::assert_snapshot!(followed.stdout());
    let after = project.read("suites/tiny/suite.toml");
    insta::assert_snapshot!(after.strip_prefix(&before).expect("the rest stays byte for byte"));
    let row = project.read("providers/vendor.toml");
    assert!(row.starts_with(&server.provider()) && row.contains("[models.\"ft:small:acme:tiny:AbC1\"]"), "{row}");
    assert!(row.contains("price = { input = 3.0, output = 6.0 }"), "the price of models tuned from it: {row}");
    let _ = project.run(["check", "suites/tiny"]).exits(0).says("3 variants");
    has_no_key(&project, &followed);
    // Once more changes nothing.
    let again = project.run(STATUS).exits(0).says("`tuned-tiny` is in the suite already");
    assert_eq!((project.read("suites/tiny/suite.toml"), project.read("providers/vendor.toml")), (after, row));
    drop(again);
    // Nor is anything sent twice.
    let _ = project.run(SUBMIT).exits(0).says("has job ftjob-1 on these files already");
    assert_eq!((server.made(), server.count("create")), ((2, 1), 1));
}

#[test]
fn together_is_asked_in_its_own_words() {
    let server = TuningServer::start(Vendor::Together);
    let project = project(&server);
    let _ = project.run(SUBMIT).exits(0).says("the provider estimates $0.0500");
    let created = server.created();
    assert_eq!((&created["n_epochs"], &created["n_evals"]), (&3.into(), &3.into()));
    let outcome = json!({"model_output_name": "acme/small-tiny-1", "token_count": 4500, "total_price": 45_000_000});
    server.goes(&["pending", "completed"], outcome);
    let followed =
        project.run(WATCH).exits(0).says("succeeded (completed)").says("$0.0450").says("billed by the minute");
    let row = project.read("providers/vendor.toml");
    assert!(row.contains("[models.\"acme/small-tiny-1\"]"), "{row}");
    has_no_key(&project, &followed);
    let _ = project.run(["check", "suites/tiny"]).exits(0);
    // A job that failed has its reason among its events.
    server.goes(&["error"], json!({}));
    let _ = project.run(STATUS).exits(4).says("Row 3 is odd");
}

#[test]
fn what_is_printed_for_machines_fits_its_schema() {
    let server = TuningServer::start(Vendor::Openai);
    let project = project(&server);
    let json = |arguments: &[&str], code: i32| {
        let output = project.run(arguments.iter().copied().chain(["--json"])).exits(code).json();
        crate::schemas::fits(&output, "tune");
        output
    };
    let submitted = json(&SUBMIT, 0);
    assert_eq!((&submitted["job"], &submitted["is_new"]), (&"ftjob-1".into(), &true.into()));
    // (12 rows of 100 tokens) x 3 epochs at $10 a million.
    assert!((submitted["preview"]["cost_usd"].as_f64().unwrap() - 0.036).abs() < 1e-12, "{submitted}");
    assert_eq!(json(&SUBMIT, 0)["is_new"], false);
    assert_eq!(json(&STATUS, 0)["phase"], "working");
    server.goes(&["succeeded"], tuned());
    let ended = json(&STATUS, 0);
    assert_eq!((&ended["suite"]["variant"], &ended["trained_tokens"]), (&"tuned-tiny".into(), &3600.into()));
    assert_eq!(json(&["tune", "cancel", MANIFEST], 0)["phase"], "succeeded");
    let local = exported("trl-conversational", Project::new().suite("tiny"));
    let printed = local.run(["tune", "local", MANIFEST, "--base", "a/b", "--json"]).exits(0).json();
    crate::schemas::fits(&printed, "tune");
}

#[test]
fn what_passes_is_tried_again_and_what_may_have_worked_is_looked_up() {
    let server = TuningServer::start(Vendor::Openai);
    let project = project(&server);
    server.fault("upload", Fault::Refused(429, json!({"error": {"message": "slow down"}})));
    server.fault("upload", Fault::Cut);
    server.fault("create", Fault::Refused(500, json!({"error": {"message": "oops"}})));
    server.fault("create", Fault::Cut);
    server.fault("job", Fault::Refused(503, json!({"error": {"message": "later"}})));
    project.run(SUBMIT).exits(0);
    assert_eq!(server.made(), (2, 1), "each once");
    assert_eq!((server.count("upload"), server.count("create")), (3, 2));
    let _ = project.run(STATUS).exits(0).says("ftjob-1: queued");
}

#[test]
fn a_submission_that_was_killed_goes_on_where_it_stopped() {
    for (kind, vendor) in [
        ("upload", Vendor::Openai),
        ("create", Vendor::Openai),
        ("upload", Vendor::Together),
        ("create", Vendor::Together),
    ] {
        let server = TuningServer::start(vendor);
        let project = project(&server);
        server.fault(kind, Fault::Silence);
        let mut child = project.start(SUBMIT);
        server.wait_for(kind);
        child.kill().unwrap();
        child.wait().unwrap();
        let _ = project.run(STATUS).exits(2).says("was interrupted before it had a job");
        project.run(SUBMIT).exits(0);
        assert_eq!(server.made(), (2, 1), "{kind} at {vendor:?}");
        let _ = project.run(STATUS).exits(0).says("job ftjob-1: queued");
    }
}

#[test]
fn an_interrupted_submission_wants_the_flags_that_it_had() {
    let server = TuningServer::start(Vendor::Openai);
    let project = project(&server);
    server.fault("create", Fault::Silence);
    let mut child = project.start(SUBMIT);
    server.wait_for("create");
    child.kill().unwrap();
    child.wait().unwrap();
    let other = project.run(SUBMIT.iter().copied().chain(["--epochs", "5"])).exits(2);
    let _ = other.says("may have started a job").says("--model small --suffix tiny --epochs 3");
    assert_eq!(server.made(), (2, 1));
}

#[test]
fn a_job_that_failed_says_why_and_makes_room_for_another() {
    let server = TuningServer::start(Vendor::Openai);
    let project = project(&server);
    project.run(SUBMIT).exits(0);
    let error = json!({"error": {"code": "invalid_training_file", "message": "line 3 is no chat", "param": null}});
    server.goes(&["failed"], error);
    let _ = project.run(STATUS).exits(4).says("why").says("line 3 is no chat");
    assert!(!project.read("suites/tiny/suite.toml").contains("tuned"));
    server.goes(&["queued"], json!({}));
    project.run(SUBMIT.iter().copied().chain(["--epochs", "2"])).exits(0);
    assert_eq!(server.made(), (2, 2), "the files are there already");
    assert_eq!(state(&project)["earlier"], json!(["ftjob-1"]));
}

#[cfg(unix)]
#[test]
fn following_is_left_and_the_job_goes_on() {
    let server = TuningServer::start(Vendor::Openai);
    let project = project(&server);
    project.run(SUBMIT).exits(0);
    let child = project.start(["tune", "status", MANIFEST, "--watch"]);
    server.wait_for("events");
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    let output = Output::of(child.wait_with_output().unwrap()).exits(130);
    let _ = output.says("the job goes on at the provider");
    let _ = project.run(STATUS).exits(0).says("ftjob-1: queued");
}

#[test]
fn a_job_can_be_cancelled() {
    let server = TuningServer::start(Vendor::Openai);
    let project = project(&server);
    let _ = project.run(["tune", "cancel", MANIFEST]).exits(2).says("no job was submitted");
    project.run(SUBMIT).exits(0);
    let _ = project.run(["tune", "cancel", MANIFEST]).exits(0).says("ftjob-1: cancelled");
    let _ = project.run(["tune", "cancel", MANIFEST]).exits(0).says("it was over already");
    assert_eq!(server.count("cancel"), 1);
}

#[test]
fn a_wrong_key_is_said_and_never_shown() {
    let server = TuningServer::start(Vendor::Openai);
    let project = project(&server).env(KEY_VARIABLE, "sk-wrong-9876543210");
    let output = project.run(SUBMIT).exits(4).says("check the provider's key");
    assert!(!output.said().contains("sk-wrong"), "{}", output.said());
    assert!(!project.read(STATE).contains("sk-wrong"));
}

#[test]
fn nothing_is_sent_without_agreement_or_beyond_the_budget() {
    let server = TuningServer::start(Vendor::Openai);
    let project = project(&server);
    let plain = &SUBMIT[..5];
    let _ = project.run(plain).exits(2).says("nobody is there to agree").says("--yes");
    let dear = SUBMIT.iter().copied().chain(["--max-cost", "0.01"]);
    let _ = project.run(dear).exits(2).says("more than --max-cost $0.0100");
    project.edit("providers/vendor.toml", ", training = 10.0", "");
    let unknown = SUBMIT.iter().copied().chain(["--max-cost", "1"]);
    let _ = project.run(unknown).exits(2).says("--max-cost cannot be kept: no training price of `small`");
    assert!(server.calls().is_empty() && !project.path(STATE).exists());
}

#[test]
fn pairs_have_no_price_of_supervised_training() {
    let server = TuningServer::start(Vendor::Openai);
    let project = project(&server);
    change(&project, |manifest| {
        manifest["method"] = "preference".into();
        manifest["format"] = "openai-dpo".into();
    });
    let bounded = SUBMIT.iter().copied().chain(["--max-cost", "100"]);
    let _ = project.run(bounded).exits(2).says("--max-cost cannot be kept: the price list has prices of supervised");
    project.run(SUBMIT).exits(0);
    server.goes(&["succeeded"], tuned());
    assert_eq!(project.run(STATUS.iter().chain(&["--json"])).exits(0).json()["cost_usd"], Value::Null);
}

#[test]
fn a_provider_of_the_suites_own_tunes() {
    let server = TuningServer::start(Vendor::Openai);
    let project = project(&server);
    let own = server.provider().replace("api_key_env = \"SCRIPTED_KEY\"\n", "");
    project.write("suites/tiny/providers/own.toml", own.as_bytes());
    change(&project, |manifest| manifest["base_model"] = "own/small".into());
    // It has no key of its own to send, so that the server turns it away.
    let _ = project.run(["tune", "submit", MANIFEST, "--provider", "own", "--yes"]).exits(4);
    assert!(!server.calls().is_empty());
}

#[test]
fn a_provider_that_estimates_the_cost_is_held_to_it() {
    let server = TuningServer::start(Vendor::Together);
    let project = project(&server);
    project.edit("providers/vendor.toml", ", training = 10.0", "");
    let dear = SUBMIT.iter().copied().chain(["--max-cost", "0.04"]);
    let _ = project.run(dear).exits(2).says("about $0.0500, more than --max-cost $0.0400").says("no job was started");
    let invalid = json!({"estimation_available": false, "unavailable_reason": "train_file_invalid"});
    server.fault("estimate", Fault::Refused(200, invalid));
    let bounded = || SUBMIT.iter().copied().chain(["--max-cost", "0.06"]);
    let _ = project.run(bounded()).exits(2).says("the provider gives no estimate (train_file_invalid)");
    assert_eq!(server.made(), (2, 0), "the files, once");
    let _ = project.run(bounded()).exits(0);
    assert_eq!(server.made(), (2, 1));
}

#[test]
fn files_that_changed_or_do_not_suit_are_refused() {
    let server = TuningServer::start(Vendor::Openai);
    let project = project(&server);
    let refused = |arguments: &[&str], says: &str| {
        let _ = project.run(arguments).exits(2).says(says);
    };
    let original = project.read(MANIFEST);
    change(&project, |manifest| manifest["format"] = "vertex-gemini".into());
    refused(&SUBMIT, "ceiling export SUITE --format openai-chat");
    project.write(MANIFEST, original.as_bytes());
    change(&project, |manifest| manifest["files"]["train"]["rows"] = 9.into());
    refused(&SUBMIT, "takes no fewer than 10");
    project.write(MANIFEST, original.as_bytes());
    change(&project, |manifest| manifest["files"]["train"]["path"] = "../providers/vendor.toml".into());
    refused(&SUBMIT, "outside its folder");
    project.write(MANIFEST, original.as_bytes());
    refused(&[&SUBMIT[..], &["--epochs", "51"]].concat(), "takes 1 to 50");
    refused(&[&SUBMIT[..], &["--suffix", &"x".repeat(65)]].concat(), "1 to 64 characters");
    refused(&["tune", "submit", MANIFEST, "--provider", "toy", "--yes"], "has no fine-tuning API");
    refused(&["tune", "submit", MANIFEST, "--provider", "openai", "--yes"], "not one of `openai`");
    refused(&["tune", "submit", "out/train.jsonl", "--provider", "vendor", "--yes"], "is no manifest");
    project.edit("out/train.jsonl", "red", "blue");
    refused(&SUBMIT, "is not the file that was exported");
    assert!(server.calls().is_empty());
}

#[test]
fn a_prompt_that_is_gone_is_written_again() {
    let server = TuningServer::start(Vendor::Openai);
    let project = project(&server);
    change(&project, |manifest| {
        manifest["prompt"] = json!({"name": "v1", "system": "", "user": "Colour? {{ input }}"})
    });
    project.run(SUBMIT).exits(0);
    server.goes(&["succeeded"], tuned());
    let _ = project.run(STATUS).exits(0).says("was changed since").says("prompts/v1-2.md.j2");
    let suite = project.read("suites/tiny/suite.toml");
    assert!(suite.contains("v1 = \"prompts/v1.md.j2\"\nv1-2 = \"prompts/v1-2.md.j2\"\n"), "{suite}");
    assert_eq!(project.read("suites/tiny/prompts/v1-2.md.j2"), "--- user ---\nColour? {{ input }}\n");
    let _ = project.run(["check", "suites/tiny"]).exits(0);
}

#[test]
fn files_that_were_written_anew_are_not_those_of_the_job() {
    let server = TuningServer::start(Vendor::Openai);
    let project = project(&server);
    project.run(SUBMIT).exits(0);
    let anew = ["export", "suites/tiny", "--format", "openai-chat", "-o", "out/train.jsonl", "--force"];
    let _ = project.run(anew).exits(2).says("job ftjob-1 at vendor trains on the files");
    change(&project, |manifest| manifest["files"]["train"]["sha256"] = json!(Digest::of(b"other")));
    server.goes(&["succeeded"], tuned());
    let _ = project.run(STATUS).exits(2).says("was written anew since its job was started");
    assert!(!project.read("suites/tiny/suite.toml").contains("tuned"));
    let _ = project.run(["tune", "cancel", MANIFEST]).exits(0);
}

#[test]
fn a_prompts_name_leads_nowhere() {
    let server = TuningServer::start(Vendor::Openai);
    let project = project(&server);
    change(&project, |manifest| {
        manifest["prompt"] = json!({"name": "../../../evil", "system": "", "user": "Colour? {{ input }}"})
    });
    project.run(SUBMIT).exits(0);
    server.goes(&["succeeded"], tuned());
    let _ = project.run(STATUS).exits(0);
    assert!(!project.path("evil.md.j2").exists() && project.path("suites/tiny/prompts/-..-..-evil.md.j2").exists());
    let _ = project.run(["check", "suites/tiny"]).exits(0);
}

#[test]
fn a_provider_file_that_cannot_be_added_to_is_left_alone() {
    let server = TuningServer::start(Vendor::Openai);
    let project = project(&server);
    let text = server.provider();
    let inline = "models = { small = { price = { input = 2.0, output = 4.0, training = 10.0 } } }\n";
    let text = text.split("[models").next().unwrap().to_owned() + inline;
    project.write("providers/vendor.toml", text.as_bytes());
    project.run(SUBMIT).exits(0);
    server.goes(&["succeeded"], tuned());
    let suite = project.read("suites/tiny/suite.toml");
    let said = project.run(STATUS).exits(0).says("would not load with the model's row");
    let _ = said.says("[models.\"ft:small:acme:tiny:AbC1\"]").says("name = \"tuned-tiny\"");
    assert_eq!((project.read("suites/tiny/suite.toml"), project.read("providers/vendor.toml")), (suite, text));
}

#[test]
fn a_suite_that_does_not_load_is_left_alone() {
    let server = TuningServer::start(Vendor::Openai);
    let project = project(&server);
    project.run(SUBMIT).exits(0);
    server.goes(&["succeeded"], tuned());
    change(&project, |manifest| manifest["prompt"]["user"] = "Colour? {{ input }}".into());
    let kept = project.run(["tune", "status", MANIFEST, "--no-write"]).exits(0).says("--no-write leaves the suite");
    let kept = kept.says("model = \"vendor/ft:small:acme:tiny:AbC1\"");
    let _ = kept.says("v1-2 = \"prompts/v1-2.md.j2\"").says("# into prompts/v1-2.md.j2:").says("Colour? {{ input }}");
    project.edit("suites/tiny/suite.toml", "[suite]", "[suite]\nnmae = 1");
    let (suite, row) = (project.read("suites/tiny/suite.toml"), project.read("providers/vendor.toml"));
    let printed = project.run(STATUS).exits(0).says("nothing was written into the suite: the suite does not load");
    let _ = printed.says("name = \"tuned-tiny\"");
    assert_eq!((project.read("suites/tiny/suite.toml"), project.read("providers/vendor.toml")), (suite, row));
}

#[test]
fn the_commands_for_a_machine_of_ones_own_are_printed() {
    let project = exported("trl-conversational", Project::new().suite("tiny"));
    let printed = project.run(["tune", "local", MANIFEST, "--base", "HuggingFaceTB/SmolLM2-135M-Instruct"]).exits(0);
    insta::assert_snapshot!(printed.stdout());
    let _ = project.run(["tune", "local", MANIFEST]).exits(2).says("--base MODEL");
    let other = exported("openai-chat", Project::new().suite("tiny"));
    let _ = other.run(["tune", "local", MANIFEST, "--base", "a/b"]).exits(2).says("--format trl-conversational");
}
