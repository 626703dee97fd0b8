"""Exports, loads and trains: what scripts/training-data-check runs."""

import copy
import http.server
import json
import pathlib
import subprocess
import sys
import threading

CEILING, ROOT, WORK = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
SUPERVISED = ["openai-chat", "together", "trl-conversational", "vertex-gemini", "bedrock-converse", "sharegpt"]
PREFERENCE = ["openai-dpo", "together", "trl-preference", "sharegpt"]
# Generation markers tell the trainer which tokens are the assistant's.
TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>"
    "{% if message.role == 'assistant' %}{% generation %}{{ message.content }}<|end|>{% endgeneration %}"
    "{% else %}{{ message.content }}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def ceiling(*arguments):
    done = subprocess.run([CEILING, *map(str, arguments)], cwd=WORK, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"ceiling {' '.join(map(str, arguments))} ended with {done.returncode}\n{done.stderr}")
    return done.stdout


class Answers(http.server.BaseHTTPRequestHandler):
    """One model is right, the other always says the first class."""

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        colour = request["messages"][-1]["content"].split()[-1]
        text = json.dumps({"label": colour if request["model"] == "right" else "red"})
        body = {"id": "1", "object": "chat.completion", "model": request["model"],
                "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}}
        if request.get("stream"):
            choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            chunk = {**body, "object": "chat.completion.chunk", "choices": [choice]}
            data = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()
            kind = "text/event-stream"
        else:
            data, kind = json.dumps(body).encode(), "application/json"
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def colours(port):
    """A suite of colours, answered by the server of this process."""
    suite = WORK / "suites/colours"
    (suite / "prompts").mkdir(parents=True)
    (WORK / "providers").mkdir()
    (WORK / "providers/here.toml").write_text(
        f'kind = "openai-chat"\nbase_url = "http://127.0.0.1:{port}/v1"\n[models.right]\n[models.red]\n')
    names = ["red", "green", "blue"]
    row = lambda kind, n: json.dumps({"id": f"{kind}{n}", "input": f"{kind} {n * 7919} looks {names[n % 3]}",
                                      "expected": {"label": names[n % 3]}, "cluster": f"{kind}{n // 2}"})
    (suite / "test.jsonl").write_text("".join(row("the ball", n) + "\n" for n in range(12)))
    (suite / "pool.jsonl").write_text("".join(row("some old box in the yard", n) + "\n" for n in range(40)))
    (suite / "schema.json").write_text(json.dumps(
        {"type": "object", "properties": {"label": {"enum": names}}, "required": ["label"]}))
    (suite / "prompts/v1.md.j2").write_text("--- system ---\nName the colour.\n--- user ---\n{{ input }}\n")
    variants = "".join(f'[[variants]]\nname = "{name}"\nmodel = "here/{name}"\nprompt = "v1"\n' for name in ["right", "red"])
    (suite / "suite.toml").write_text(
        '[suite]\nname = "colours"\ndescription = "The colour"\ntask = "classification"\n'
        '[data]\nexamples = "test.jsonl"\npool = "pool.jsonl"\n[output]\nschema = "schema.json"\n'
        '[score]\nprimary = "label"\n[score.scorers.label]\nkind = "exact"\nat = "/label"\n'
        '[prompts]\nv1 = "prompts/v1.md.j2"\n' + variants)
    return suite


def loads(path):
    """The file as `datasets` reads it: as many rows as lines, each equal to its line."""
    from datasets import load_dataset

    data = load_dataset("json", data_files=str(path), split="train")
    # Lines end in \n alone: a text may hold U+2028, at which str.splitlines() divides.
    with path.open(encoding="utf-8", newline="\n") as file:
        lines = [json.loads(line) for line in file]
    assert len(data) == len(lines), path
    for row, line in zip(data, lines):
        assert row == line, (row, line)
    return data


def tiny(texts):
    """A model of random weights, and a tokenizer that was trained on these texts."""
    from tokenizers import Tokenizer, models, pre_tokenizers, decoders, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    special = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<|pad|>", eos_token="<|end|>")
    fast.chat_template = TEMPLATE
    config = LlamaConfig(vocab_size=len(fast), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                         num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=4096,
                         pad_token_id=fast.pad_token_id, eos_token_id=fast.eos_token_id, bos_token_id=None)
    return LlamaForCausalLM(config), fast


COMMON = dict(max_steps=1, per_device_train_batch_size=2, report_to=[], save_strategy="no", use_cpu=True, bf16=False,
              fp16=False, logging_steps=1, disable_tqdm=True, gradient_checkpointing=False)


def step(trainer):
    import math

    loss = trainer.train().training_loss
    assert math.isfinite(loss), loss
    return loss


def supervised_step(data):
    from trl import SFTConfig, SFTTrainer

    model, tokenizer = tiny(message["content"] for row in data for message in row["messages"])
    config = SFTConfig(output_dir=str(WORK / "sft"), max_length=4096, assistant_only_loss=True, **COMMON)
    return step(SFTTrainer(model=model, args=config, train_dataset=data, processing_class=tokenizer))


def preference_step(data):
    from trl import DPOConfig, DPOTrainer

    texts = (message["content"] for row in data for part in ["prompt", "chosen", "rejected"] for message in row[part])
    model, tokenizer = tiny(texts)
    config = DPOConfig(output_dir=str(WORK / "dpo"), max_length=4096, **COMMON)
    # Without one the trainer would look for the model's weights under its name, which it does not have.
    reference = copy.deepcopy(model)
    return step(DPOTrainer(model=model, ref_model=reference, args=config, train_dataset=data, processing_class=tokenizer))


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    suite = colours(server.server_address[1])
    files = []
    for name in ["outages", "claims", "routing"]:
        for form in SUPERVISED:
            path = WORK / f"{name}.{form}.jsonl"
            ceiling("export", ROOT / "suites" / name, "--format", form, "-o", path)
            files.append(path)
    ceiling("run", suite, "--on", "pool", "-q")
    for form in PREFERENCE:
        path = WORK / f"pairs.{form}.jsonl"
        ceiling("export", "last", "--source", "preferences", "--format", form, "-o", path)
        files.append(path)
    for path in list(files):
        held_out = path.with_suffix(".validation.jsonl")
        for one in [path, held_out] if held_out.exists() else [path]:
            print(f"loaded   {one.name}: {len(loads(one))} rows")
    for name in ["outages", "claims", "routing"]:
        loss = supervised_step(loads(WORK / f"{name}.trl-conversational.jsonl"))
        print(f"trained  {name}.trl-conversational.jsonl: one SFT step, loss {loss:.3f}")
    loss = preference_step(loads(WORK / "pairs.trl-preference.jsonl"))
    print(f"trained  pairs.trl-preference.jsonl: one DPO step, loss {loss:.3f}")


main()
