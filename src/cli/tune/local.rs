//! `ceiling tune local`: the commands that train on the exported files here, printed and not run.
//!
//! Source of the flags: `scripts/{sft,dpo}.py`, `trainer/{model_config,sft_config,dpo_config}.py` of the Python package
//! trl 1.16.0; the learning rates are those of the LoRA examples at the head of its two scripts. A folder whose
//! files are named after splits is loaded as those splits
//! (<https://huggingface.co/docs/datasets/repository_structure>).

use std::path::Path;

use clap::Args;
use serde_json::json;

use super::manifest::Found;
use super::{ManifestArgs, word};
use crate::cli::exit::Exit;
use crate::cli::printer::Printer;
use crate::error::Error;
use crate::text::one_line;
use crate::training::manifest::Method;

/// Passes where the manifest states none.
const DEFAULT_EPOCHS: u32 = 3;

/// Flags of `ceiling tune local`.
#[derive(Debug, Clone, Args)]
pub struct LocalArgs {
    /// The manifest.
    #[command(flatten)]
    pub manifest: ManifestArgs,
    /// The model to tune, as Hugging Face names it or a folder, instead of the manifest's.
    #[arg(long, value_name = "MODEL", env = "CEILING_TUNE_BASE")]
    pub base: Option<String>,
    /// How often training goes through the file, instead of what the manifest says.
    #[arg(long, value_name = "N", env = "CEILING_TUNE_EPOCHS")]
    pub epochs: Option<u32>,
}

/// Prints the commands.
pub(super) fn local(args: &LocalArgs, printer: Printer) -> Result<Exit, Error> {
    let found = Found::open(&args.manifest.manifest)?;
    let manifest = &found.manifest;
    let (format, trainer) = match manifest.method {
        Method::Supervised => ("trl-conversational", "sft"),
        Method::Preference => ("trl-preference", "dpo"),
    };
    if manifest.format != format {
        return Err(Error::usage(
            format!("files of format `{}` are not what TRL trains on", one_line(&manifest.format, 40)),
            format!("export them anew: ceiling export {} --format {format} -o FILE", word(found.suite())),
        ));
    }
    // Whether they are what was exported.
    found.read(&manifest.files.train, u64::MAX)?;
    if let Some(facts) = &manifest.files.validation {
        found.read(facts, u64::MAX)?;
    }
    let base = base(args, &found)?;
    let epochs = args.epochs.or(manifest.epochs).unwrap_or(DEFAULT_EPOCHS);
    let trl = trl(&found, trainer, &base, epochs)?;
    let script = (manifest.method == Method::Supervised).then(|| script(&found, &base, epochs)).transpose()?;
    let mut text = format!("With TRL (pip install 'trl[peft]'), on a machine with a GPU:\n\n{trl}\n");
    if let Some(script) = &script {
        text.push_str(&format!(
            "\nWith the script that ships with ceiling's source (pip install torch transformers peft gguf), also without \
             a GPU; it writes an adapter for llama.cpp too:\n\n{script}\n"
        ));
    }
    text.push_str(&format!(
        "\nThen serve base and adapter (vLLM, llama.cpp), put a row of a provider file and a variant with `tuned` into \
         the suite, and judge it:\n\nceiling accept {} --model PROVIDER/MODEL\n",
        word(&found.path)
    ));
    printer.text(&text);
    printer.value(&json!({
        "action": "local", "manifest": found.path, "base_model": base, "epochs": epochs, "trl": trl, "script": script,
    }));
    crate::cli::DONE
}

/// The model to tune, as Hugging Face names it.
fn base(args: &LocalArgs, found: &Found) -> Result<String, Error> {
    let providers = crate::provider::load::load(&[Path::new(".")])?;
    // A provider's name of a model need not be Hugging Face's: only those with a path are taken to be.
    let known = |endpoint: &str| {
        let named = crate::provider::EndpointId::parse(endpoint)?;
        let served = providers.endpoint(&named).map_or(named.model.clone(), |(_, model)| model.served_as.clone());
        served.contains('/').then_some(served)
    };
    let stated = found.manifest.base_model.as_deref().and_then(known);
    args.base.clone().or(stated).ok_or_else(|| {
        Error::usage(
            "no model to tune is named that Hugging Face knows",
            "--base MODEL names one, such as Qwen/Qwen2.5-0.5B-Instruct, or a folder",
        )
    })
}

/// TRL's command line, with the files under the names by which it tells training from validation.
fn trl(found: &Found, trainer: &str, base: &str, epochs: u32) -> Result<String, Error> {
    let files = &found.manifest.files;
    let stem = found.folder().join(files.train.path.trim_end_matches(".jsonl"));
    let (data, output) = (with(&stem, "-trl"), with(&stem, &format!("-{trainer}")));
    let copy = |from: &Path, name: &str| format!("cp {} {}", word(from), word(Path::new(&data).join(name)));
    let mut lines = vec![format!("mkdir -p {}", word(Path::new(&data)))];
    lines.push(copy(&found.place(&files.train)?, "train.jsonl"));
    if let Some(facts) = &files.validation {
        lines.push(copy(&found.place(facts)?, "test.jsonl"));
    }
    let rate = if trainer == "sft" { "2.0e-4" } else { "5.0e-6" };
    let mut command = vec![
        format!("trl {trainer}"),
        format!("--model_name_or_path {}", word(Path::new(base))),
        format!("--dataset_name {}", word(Path::new(&data))),
        format!("--num_train_epochs {epochs}"),
        format!("--learning_rate {rate}"),
        "--per_device_train_batch_size 2 --gradient_accumulation_steps 8".to_owned(),
        "--use_peft --lora_r 16 --lora_alpha 32 --lora_target_modules all-linear".to_owned(),
    ];
    if trainer == "sft" {
        // Loss on the answer alone, as every managed service trains.
        command.push("--assistant_only_loss".to_owned());
    }
    if files.validation.is_some() {
        command.push("--eval_strategy epoch".to_owned());
    }
    command.push("--seed 7".to_owned());
    command.push(format!("--output_dir {}", word(Path::new(&output))));
    lines.push(command.join(" \\\n  "));
    Ok(lines.join("\n"))
}

/// The command line of the script in ceiling's source.
fn script(found: &Found, base: &str, epochs: u32) -> Result<String, Error> {
    let files = &found.manifest.files;
    let stem = found.folder().join(files.train.path.trim_end_matches(".jsonl"));
    let mut command = format!("scripts/train-lora {} {}", word(Path::new(base)), word(&found.place(&files.train)?));
    if let Some(facts) = &files.validation {
        command.push_str(&format!(" --validation {}", word(&found.place(facts)?)));
    }
    command.push_str(&format!(" --epochs {epochs} --output {}", word(Path::new(&with(&stem, "-lora")))));
    Ok(command)
}

/// A path with an ending.
fn with(stem: &Path, ending: &str) -> String {
    format!("{}{ending}", stem.display())
}
