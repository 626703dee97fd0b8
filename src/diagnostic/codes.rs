//! Every diagnostic code: permanent, and explained. The reference page is generated from here.

/// What a code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Permanent.
    pub code: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// Why it is reported.
    pub cause: &'static str,
    /// What causes it.
    pub example: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

const fn row(
    code: &'static str,
    title: &'static str,
    cause: &'static str,
    example: &'static str,
    remedy: &'static str,
) -> Code {
    Code { code, title, cause, example, remedy }
}

/// The table, by file and name.
#[rustfmt::skip]
pub const CODES: &[Code] = &[
    row("provider/bad-url", "Not an address", "`base_url` is not an http or https address.", "base_url = \"api.example.com\"", "Write the whole address, `https://` included."),
    row("provider/key-in-file", "A key in a file", "Keys never stand in files that may be shared or committed.", "api_key = \"sk-…\"", "Put the key into the environment and name the variable: `api_key_env = \"OPENAI_API_KEY\"`. Revoke the key if the file was shared."),
    row("provider/missing-key", "A key is missing", "The provider file lacks a key that it needs.", "a file without `kind`", "Add the key. A file of a shipped provider's name inherits what it does not set."),
    row("provider/no-feature", "Not in this build", "The key asks for something that is compiled in only by a feature.", "auth = \"sigv4\" in a build without the feature `sigv4`", "Build with `cargo install ceiling-eval --features sigv4`, or choose another word."),
    row("provider/no-key", "No API key", "The environment variable or file that holds the provider's key is not there.", "api_key_env = \"OPENAI_API_KEY\" with no such variable", "Set the variable, or send the models to another provider with `--provider`."),
    row("provider/not-utf8", "Not UTF-8", "The provider file holds bytes that are no text.", "a file saved as Latin-1", "Save it as UTF-8."),
    row("provider/not-yet", "A wire that is not supported yet", "The provider's kind or its `api_version` is known, but this version does not speak it.", "kind = \"anthropic\"", "Use an OpenAI-compatible address of the provider, or a later version."),
    row("provider/out-of-range", "A number out of range", "The number makes no sense for this key.", "concurrency = 0", "Write a number in the range that the message names."),
    row("provider/plain-http", "Unencrypted address", "Keys and data would cross the network unencrypted.", "base_url = \"http://10.0.0.2/v1\"", "Use https, or set `allow_http = true` if the network is yours. Loopback needs neither."),
    row("provider/syntax", "Not TOML", "The provider file cannot be parsed.", "kind = = \"replay\"", "Correct the line."),
    row("provider/too-large", "Too large", "The provider file is larger than 64 MiB.", "a data file named .toml", "Check that it is the file you mean."),
    row("provider/unknown-key", "Unknown key", "Nothing reads this key, so it is likely a typing error.", "self_host = true", "Correct or remove it; the hint names the nearest known key."),
    row("provider/unknown-value", "Unknown word", "The key takes one of a few words.", "auth = \"basic\"", "Use one of those that the hint names."),
    row("provider/unreadable", "Unreadable file", "The provider file cannot be opened or read.", "a file without read permission", "Correct the permissions."),
    row("provider/wrong-type", "A value of the wrong type", "The key takes another type of value.", "timeout_s = \"60\"", "Write the value as the message says."),
    row("suite/bad-document", "Not a document", "A row of the documents lacks a field or has one of the wrong type.", "{\"id\": \"d1\"}", "Each row has `id` and `text`, and may have `title`; a text is never blank."),
    row("suite/bad-example", "Not an example", "A row lacks a field or has one of the wrong type.", "{\"text\": \"…\"}", "Each row has `id`, `input` and `expected`; `[data] map` names fields that are called otherwise."),
    row("suite/bad-expected", "An expected answer that cannot be right", "The suite's own schema rejects `expected`, or the primary scorer finds nothing in it.", "\"expected\": {\"lable\": \"A\"}", "Correct the example, the schema, or the scorer's `expected_at`."),
    row("suite/bad-json", "Not JSON", "A line or file cannot be parsed as JSON.", "{\"id\": \"a\", }", "Correct it; the message has the line and column."),
    row("suite/bad-model", "Not provider/model", "A model is named with its provider.", "model = \"gpt-5-mini\"", "Write `model = \"openai/gpt-5-mini\"`."),
    row("suite/bad-name", "Not a name", "Names stand in file names, command lines and reports.", "name = \"my suite/1\"", "Use letters, digits, `-`, `_` and `.`."),
    row("suite/bad-pattern", "Not a regular expression", "The scorer's pattern cannot be compiled.", "pattern = \"(\"", "Correct it. Look-around and back-references are not offered: matching runs in linear time."),
    row("suite/bad-pointer", "Not a JSON Pointer", "`at` and `expected_at` are JSON Pointers: empty, or starting with a slash.", "at = \"label\"", "Write `at = \"/label\"`."),
    row("suite/bad-prompt", "Not a prompt file", "A prompt file has a part headed `--- system ---` and one headed `--- user ---`.", "a file without a user part", "Write the headers on lines of their own."),
    row("suite/bad-schema", "Not a JSON Schema", "The schema cannot be compiled.", "{\"type\": \"strin\"}", "Correct it against JSON Schema 2020-12."),
    row("suite/bad-template", "A template that does not render", "A prompt's template is malformed or uses a field that inputs do not have.", "{{ input.titel }}", "Correct the template."),
    row("suite/duplicate-id", "An id twice", "Ids tell examples apart, across runs too, and documents.", "two lines with \"id\": \"a\"", "Give each example an id of its own."),
    row("suite/duplicate-variant", "A variant's name twice", "Names tell variants apart.", "two `[[variants]]` with name = \"v1\"", "Rename one; a matrix may also make a name that a variant has."),
    row("suite/external-reference", "A reference that leaves the schema", "Schemas are never fetched from elsewhere.", "\"$ref\": \"https://example.com/s.json\"", "Copy the definition into `$defs`."),
    row("suite/hosted-provider", "A hosted provider for a self-hosted target", "`[targets] self_hosted = true` rules this provider out for use.", "model = \"openai/gpt-5-mini\"", "Keep it only as a comparison, or mark the provider `self_hosted`."),
    row("suite/leak", "A test example in the pool", "Few-shot would show the model the answer, and tuning would have trained on it.", "the same input in test.jsonl and pool.jsonl", "Take it out of one of the two."),
    row("suite/line-too-long", "A line that is too long", "A line of more than 64 MiB is likely a file that is no JSON Lines.", "a JSON array in one line", "Write one object on each line."),
    row("suite/missing-column", "A column is missing", "The CSV file has no column of that name.", "a header `text,label`", "Rename it, or say `[data] map = { input = \"text\", expected = \"label\" }`."),
    row("suite/missing-key", "A key is missing", "The suite needs this key.", "`[suite]` without `name`", "Add it."),
    row("suite/near-duplicate", "All but the same as a pool row", "The inputs share four fifths of their letter 5-grams: one with a word changed, mostly.", "\"How can I top up by card?\" and \"Can I top up by card?\"", "Take it out of one of the two, or leave it: few-shot never shows a row beside its near-duplicate."),
    row("suite/near-leak", "Nearly a test example in the pool", "The inputs differ only in case, spaces or punctuation.", "\"No power!\" and \"no power\"", "Take it out of one of the two."),
    row("suite/no-documents", "No documents", "A variant retrieves, and there is nothing to retrieve from.", "retrieve = { k = 4 } without `[data] documents`", "Name a file of documents."),
    row("suite/no-embeddings", "No vectors from there", "The endpoint of `embeddings` is a recording, or its wire has no address for vectors that this version speaks.", "retrieve = { k = 4, embeddings = \"anthropic/claude-haiku-4-5\" }", "Name an endpoint whose server has OpenAI's `/embeddings`, or retrieve by words."),
    row("suite/no-examples", "No examples", "There is nothing to ask.", "an empty examples.jsonl", "Add examples, or correct `--limit` and `--examples`."),
    row("suite/no-file", "No such file", "A path or glob of suite.toml names nothing.", "examples = \"exmples.jsonl\"", "Correct the path; it is relative to the suite's folder."),
    row("suite/no-folder", "No such suite", "The folder is not there.", "ceiling check suites/outage", "Correct the path; the hint names the nearest suite."),
    row("suite/no-labels", "Classes are not known", "A classification, or balanced shots, without an `enum` in the schema where the primary scorer looks.", "\"label\": {\"type\": \"string\"}", "List the classes in the schema."),
    row("suite/no-pool", "No pool", "Shots are drawn from the pool, never from the test examples.", "shots = 5 without `[data] pool`", "Name a pool."),
    row("suite/no-recording", "No recording", "A replayed provider answers from the suite's recording.jsonl, which is not there.", "model = \"smollm2/135m-instruct\"", "Make one with `ceiling record`, or use `--provider`."),
    row("suite/no-right-documents", "Right documents are not named", "An oracle is given the documents that examples name, and they name none.", "retrieve = { k = 2, from = \"oracle\" } with examples without `documents`", "Name them in the examples."),
    row("suite/no-schema", "No schema", "Native structured output and tool calls need the schema.", "structured = \"json-schema\" without `[output] schema`", "Name a schema."),
    row("suite/no-suite-file", "No suite.toml", "The folder is no suite.", "a folder without suite.toml", "Name the folder that holds suite.toml; the README has a small suite whole."),
    row("suite/no-variants", "No variants", "There is nothing to compare.", "a suite.toml without `[[variants]]`", "Add a variant or a matrix."),
    row("suite/not-utf8", "Not UTF-8", "The file holds bytes that are no text.", "a file saved as Latin-1", "Save it as UTF-8; the message has the byte's offset."),
    row("suite/not-yet", "Not supported yet", "The key is known, but this version does not serve it.", "[latency]", "Remove it, or use a later version."),
    row("suite/oracle-incumbent", "An oracle in use", "The right documents of a real input are not known, so that an oracle is a bound and never in use.", "incumbent = \"oracle\"", "Name another variant."),
    row("suite/out-of-range", "A number out of range", "The number makes no sense for this key.", "accuracy = 90", "Write a number in the range that the message names."),
    row("suite/outside-folder", "A path out of the folder", "A suite reads only its own folder.", "examples = \"../secret.jsonl\"", "Copy the file, or set `[data] allow_outside = true`."),
    row("suite/pool-too-small", "More shots than the pool has", "A variant wants more shots than there are.", "shots = 50 with 40 in the pool", "Lower k, or add to the pool."),
    row("suite/reserved-param", "A reserved parameter", "The tool fills this field of the request itself.", "params = { messages = [] }", "Use the variant's own keys."),
    row("suite/syntax", "Not TOML", "suite.toml cannot be parsed.", "name = = \"x\"", "Correct the line."),
    row("suite/too-large", "Too large", "Suite, schema and prompt files are read whole, up to 64 MiB.", "a data file as schema", "Check that it is the file you mean."),
    row("suite/unknown-document", "Unknown document", "An example names a document that is not there.", "\"documents\": [\"d99\"]", "Correct the id, or add the document."),
    row("suite/unknown-format", "Unknown data format", "Data files are .jsonl or .csv.", "examples = \"data.xlsx\"", "Convert the file."),
    row("suite/unknown-key", "Unknown key", "Nothing reads this key, so it is likely a typing error.", "promt = \"v1\"", "Correct or remove it; the hint names the nearest known key."),
    row("suite/unknown-label", "A label outside the schema", "The expected class is not in the schema's enum.", "\"expected\": {\"code\": \"VEG-FLL\"}", "Correct the label, or add the class to the schema."),
    row("suite/unknown-model", "Unknown model", "The provider's file has no such model.", "model = \"openai/gpt-5-mimi\"", "Correct the name, or add a row to `providers/NAME.toml`."),
    row("suite/unknown-prompt", "Unknown prompt", "`[prompts]` has no such name.", "prompt = \"v9\"", "Correct the name, or add the prompt."),
    row("suite/unknown-provider", "Unknown provider", "No provider file has this name.", "model = \"opnai/gpt-5-mini\"", "Correct the name, or add `providers/NAME.toml`."),
    row("suite/unknown-scorer", "Unknown scorer", "`[score.scorers]` has no such name.", "primary = \"lable\"", "Correct the name."),
    row("suite/unknown-value", "Unknown word", "The key takes one of a few words.", "parse = \"loose\"", "Use one of those that the hint names."),
    row("suite/unknown-variant", "Unknown variant", "No variant has this name.", "incumbent = \"prompt-v9\"", "Correct the name."),
    row("suite/unreadable", "Unreadable file", "The file cannot be opened or read.", "a file without read permission", "Correct the permissions."),
    row("suite/unused-prompt", "A prompt that no variant uses", "It is not measured, and does not count as a round.", "a `v4` that stands only in `[prompts]`", "Add a variant with it, or remove it."),
    row("suite/wrong-type", "A value of the wrong type", "The key takes another type of value.", "repeats = \"3\"", "Write the value as the message says."),
];
