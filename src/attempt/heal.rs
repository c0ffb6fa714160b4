//! Self-healing parameters: what a server refuses by name is left out, renamed or lowered, once
//! per request, and remembered for the URL and the model.
//!
//! [`CURES`] is all there is to it. It knows no dialect: a parameter has a list of places where
//! it may stand in a body, and what is not there is not changed. Nothing is changed silently:
//! see [`Attempt::changed`]. The config's `heal` switches it off.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use super::{Attempt, Response};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::http::{Headers, HttpRequest};

type Body = Map<String, Value>;

/// A refusal, and what to do about it.
struct Cure {
    /// The refusal names one of these.
    about: &'static [Parameter],
    /// It says one of these as well; anything, where there are none.
    says: &'static [&'static str],
    remedy: Remedy,
}

struct Parameter {
    /// How refusals call it. The first is what it is called when a change is told.
    names: &'static [&'static str],
    /// Where it may stand in a body of any dialect: paths through objects, with `**` for any
    /// depth.
    places: &'static [&'static str],
}

enum Remedy {
    /// Those of the parameters that the refusal names are left out.
    LeaveOut,
    /// The parameter is sent under another name, at the top of the body.
    Rename { from: &'static str, to: &'static str },
    /// Anything else: changes the body, given the words of [`VOCABULARY`] that the refusal
    /// mentions. `None` where there is nothing to change.
    Change(fn(&mut Body, &[&str]) -> Option<Change>),
    /// The same, unless the Responses API is at hand, which takes the request as it is.
    Elsewhere(fn(&mut Body, &[&str]) -> Option<Change>),
    /// It cannot be healed. This is what the program has to do.
    Advise(&'static str),
}

/// A parameter, and what was done to it.
type Change = (&'static str, Cow<'static, str>);

/// Says that a parameter as such is not taken; not that its value is too large.
const REFUSED: &[&str] = &[
    "unsupported",
    "not support",
    "n't support",
    "deprecated",
    "only the default",
    "unknown",
    "unrecognized",
    "unexpected",
    "not permitted",
    "not allowed",
    "forbidden",
    "extra inputs",
    "extra fields",
    "not accept",
    "n't accept",
    "unavailable",
    "not available",
    "not recognized",
    "not compatible",
    "incompatible",
    "cannot find field",
    "cannot be used",
    "cannot be set",
    "may only be set",
    "unset",
    "not enabled",
    "not implemented",
    "no longer",
    "removed",
];

/// The words of a refusal that decide what a cure does.
const VOCABULARY: &[&str] = &[
    "none",
    "minimal",
    "low",
    "medium",
    "high",
    "xhigh",
    "max",
    "between_tools",
    "invalid schema",
];

/// How much a model reasons, from least to most.
const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh", "max"];

const EFFORT: Parameter =
    Parameter { names: &["reasoning_effort", "effort", "thinking_level"], places: EFFORT_PLACES };

const EFFORT_PLACES: &[&str] = &[
    "reasoning_effort",
    "reasoning.effort",
    "output_config.effort",
    "generationConfig.thinkingConfig.thinkingLevel",
];

/// The first cure that fits and changes something is taken.
static CURES: &[Cure] = &[
    Cure {
        about: &[called(&["include_obfuscation"], &["stream_options.include_obfuscation"])],
        says: &[],
        remedy: Remedy::LeaveOut,
    },
    Cure {
        about: &[Parameter {
            names: &["stream_options", "include_usage"],
            places: &["stream_options"],
        }],
        says: &[],
        remedy: Remedy::LeaveOut,
    },
    Cure {
        about: &[
            called(&["budget_tokens"], &["thinking"]),
            called(&["max_tokens"], &["max_tokens"]),
        ],
        says: &["budget_tokens"],
        remedy: Remedy::Change(make_room_for_budget),
    },
    Cure {
        about: &[called(&["max_tokens"], &["max_tokens"])],
        says: &["max_completion_tokens"],
        remedy: Remedy::Rename { from: "max_tokens", to: "max_completion_tokens" },
    },
    Cure {
        about: &[called(&["max_completion_tokens"], &["max_completion_tokens"])],
        says: REFUSED,
        remedy: Remedy::Rename { from: "max_completion_tokens", to: "max_tokens" },
    },
    Cure {
        about: &[called(&["top_p"], &["top_p", "generationConfig.topP"])],
        says: &["cannot both"],
        remedy: Remedy::LeaveOut,
    },
    Cure {
        about: &[
            called(&["temperature"], &["temperature", "generationConfig.temperature"]),
            called(&["top_p"], &["top_p", "generationConfig.topP"]),
            called(&["top_k"], &["top_k", "generationConfig.topK"]),
            called(&["min_p"], &["min_p"]),
            called(
                &["presence_penalty"],
                &["presence_penalty", "generationConfig.presencePenalty"],
            ),
            called(
                &["frequency_penalty"],
                &["frequency_penalty", "generationConfig.frequencyPenalty"],
            ),
            called(&["repetition_penalty"], &["repetition_penalty"]),
            Parameter {
                names: &["logprobs", "top_logprobs", "response_logprobs"],
                // One is refused without the other.
                places: &[
                    "logprobs",
                    "top_logprobs",
                    "generationConfig.responseLogprobs",
                    "generationConfig.logprobs",
                ],
            },
        ],
        says: REFUSED,
        remedy: Remedy::LeaveOut,
    },
    Cure {
        about: &[Parameter {
            names: &["reasoning.summary", "summaries"],
            places: &["reasoning.summary"],
        }],
        says: &["must be verified", "not support", "unsupported"],
        remedy: Remedy::LeaveOut,
    },
    Cure {
        about: &[Parameter { names: &["include", "encrypted content"], places: &["include"] }],
        says: &["not support", "unsupported"],
        remedy: Remedy::LeaveOut,
    },
    Cure { about: &[EFFORT], says: &["/v1/responses"], remedy: Remedy::Elsewhere(reason_not) },
    Cure { about: &[EFFORT], says: EFFORTS, remedy: Remedy::Change(lower_effort) },
    Cure { about: &[EFFORT], says: REFUSED, remedy: Remedy::LeaveOut },
    Cure {
        about: &[Parameter {
            names: &["tool_choice", "function_calling_config"],
            places: &["tool_choice", "toolConfig.functionCallingConfig"],
        }],
        says: &[
            "thinking",
            "reasoning",
            "force",
            "not support",
            "n't support",
            "unsupported",
            "only",
        ],
        remedy: Remedy::Change(let_model_choose_tools),
    },
    Cure {
        about: &[Parameter { names: &["thinking.type", "thinking"], places: &["thinking"] }],
        says: REFUSED,
        remedy: Remedy::Change(adapt_thinking),
    },
    Cure {
        about: &[Parameter {
            names: &[
                "response_format",
                "json_schema",
                "response_json_schema",
                "response_schema",
                "text.format",
                "output_config",
                "output_format",
            ],
            places: &["response_format", "text.format", "output_config.format", "generationConfig"],
        }],
        // A schema that is wrong is not: the next one may be right.
        says: &[
            "json_object",
            "unavailable",
            "unsupported",
            "not support",
            "n't support",
            "not available",
            "unknown",
            "unrecognized",
            "not permitted",
            "not allowed",
            "unexpected",
            "cannot find field",
            "extra inputs",
        ],
        remedy: Remedy::Change(describe_schema),
    },
    Cure {
        about: &[
            called(&["strict"], &["tools.**.strict"]),
            called(&["additionalProperties"], &["tools.**.additionalProperties"]),
            called(&["$schema"], &["tools.**.$schema"]),
        ],
        says: REFUSED,
        remedy: Remedy::LeaveOut,
    },
    Cure {
        about: &[
            called(
                &["parallel_tool_calls"],
                &["parallel_tool_calls", "tool_choice.disable_parallel_tool_use"],
            ),
            Parameter {
                names: &["seed", "random_seed"],
                places: &["seed", "random_seed", "generationConfig.seed"],
            },
            Parameter {
                names: &["n", "candidate_count"],
                places: &["n", "generationConfig.candidateCount"],
            },
            called(&["store"], &["store"]),
            called(&["service_tier"], &["service_tier", "serviceTier"]),
            called(&["metadata"], &["metadata"]),
            called(&["user"], &["user"]),
            called(&["safety_identifier"], &["safety_identifier"]),
            called(&["prompt_cache_key"], &["prompt_cache_key"]),
            called(&["prompt_cache_retention"], &["prompt_cache_retention"]),
        ],
        says: REFUSED,
        remedy: Remedy::LeaveOut,
    },
    Cure {
        about: &[Parameter { names: &["developer", "role"], places: &["messages", "input"] }],
        says: &["role", "one of", "should be", "must be", "unknown variant"],
        remedy: Remedy::Change(call_developer_system),
    },
    Cure {
        about: &[Parameter {
            names: &["thought_signature", "reasoning_content", "redacted_thinking"],
            places: &["messages", "contents", "input"],
        }],
        says: &["missing", "must be", "must start", "must contain", "required", "passed back"],
        remedy: Remedy::Advise(GO_BACK_WHOLE),
    },
    Cure {
        about: &[Parameter { names: &["reasoning"], places: &["input"] }],
        says: &["without its required"],
        remedy: Remedy::Advise(GO_BACK_WHOLE),
    },
];

const GO_BACK_WHOLE: &str = "the reasoning of an earlier answer has to go back with it: add each \
     answer with tolmach_request_reply(), or all fields of tolmach_session_reply(), and send the \
     conversation to the provider that it comes from";

const fn called(names: &'static [&'static str], places: &'static [&'static str]) -> Parameter {
    Parameter { names, places }
}

/// How many pairs of URL and model are remembered.
const MOST: usize = 1024;

/// Sends requests of one client, healed.
pub(crate) struct Healer {
    is_on: bool,
    /// What a URL and a model need.
    known: Mutex<HashMap<(String, String), Vec<Prescription>>>,
}

/// A cure, and the words of the refusal that it goes by.
#[derive(Clone)]
struct Prescription {
    /// Its place in the table.
    number: usize,
    words: Vec<&'static str>,
}

impl Healer {
    pub(crate) fn new(config: &Config) -> Healer {
        Healer { is_on: config.heal, known: Mutex::default() }
    }

    /// Posts `body` with what is known to heal it; where the server refuses a parameter, once
    /// more without it.
    pub(crate) fn post(
        &self,
        url: &str,
        headers: &Headers,
        body: &mut Body,
        attempt: &mut Attempt<'_>,
    ) -> Result<Response> {
        let model = body.get("model").and_then(Value::as_str).unwrap_or_default();
        let place = (url.to_owned(), model.to_owned());
        let known = self.lock().get(&place).cloned().unwrap_or_default();
        for prescription in &known {
            prescription.apply(body, attempt);
        }
        let (error, refusal) = match send(url, headers, body, attempt) {
            Err((error, Some(refusal))) => (error, refusal),
            outcome => return outcome.map_err(|(error, _)| error),
        };
        let may_heal = self.is_on && attempt.may_heal();
        let fitting = CURES.iter().zip(0..).filter(|(cure, _)| cure.fits(&refusal));
        for (cure, number) in fitting {
            let said = cure.words_of(&refusal);
            let prescription = Prescription { number, words: without_effort_of(body, &said) };
            match cure.remedy {
                Remedy::Advise(advice) => return Err(error.advised(advice)),
                Remedy::Elsewhere(_) if attempt.offers_responses => return Err(error),
                _ if may_heal && prescription.apply(body, attempt) => {}
                _ => continue,
            }
            attempt.healed();
            let outcome = send(url, headers, body, attempt);
            // What is refused as before did not heal.
            let is_as_before =
                |refusal: &Refusal| cure.fits(refusal) && cure.words_of(refusal) == said;
            match &outcome {
                Err((_, Some(refusal))) if is_as_before(refusal) => {}
                _ => self.remember(place, prescription),
            }
            return outcome.map_err(|(error, _)| error);
        }
        Err(error)
    }

    fn remember(&self, place: (String, String), prescription: Prescription) {
        let mut known = self.lock();
        if known.len() >= MOST && !known.contains_key(&place) {
            return;
        }
        let ours = known.entry(place).or_default();
        match ours.iter_mut().find(|known| known.number == prescription.number) {
            Some(known) => {
                for word in prescription.words {
                    if !known.words.contains(&word) {
                        known.words.push(word);
                    }
                }
            }
            None => ours.push(prescription),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), Vec<Prescription>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the error of a chat call says that the Responses API takes such a request.
pub(crate) fn points_to_responses(error: &Error) -> bool {
    let refusal = Refusal::of(error);
    matches!(error.http_status(), Some(400 | 404 | 422))
        && refusal.says(&["v1/responses"])
        && refusal.is_about(&["reasoning_effort", "model", "tools"], &[])
}

/// Sends `body`; what a refusal says comes with its error.
fn send(
    url: &str,
    headers: &Headers,
    body: &Body,
    attempt: &mut Attempt<'_>,
) -> std::result::Result<Response, (Error, Option<Refusal>)> {
    let request = HttpRequest::post_json(url, headers.clone(), body);
    request.and_then(|request| attempt.send(request)).map_err(|error| {
        let is_refusal = matches!(error.http_status(), Some(400 | 422));
        let refusal = is_refusal.then(|| Refusal::of(&error));
        (error, refusal)
    })
}

impl Cure {
    fn fits(&self, refusal: &Refusal) -> bool {
        refusal.says(self.says) && self.about.iter().any(|parameter| parameter.is_in(refusal))
    }

    /// The parameters that the refusal names, and what else of it matters.
    fn words_of(&self, refusal: &Refusal) -> Vec<&'static str> {
        let named = self.about.iter().filter(|parameter| parameter.is_in(refusal));
        let said = VOCABULARY.iter().copied().filter(|word| refusal.mentions(word));
        named.map(Parameter::name).chain(said).collect()
    }

    /// Changes the body. Returns what was changed.
    fn apply(&self, body: &mut Body, words: &[&str]) -> Vec<Change> {
        match self.remedy {
            Remedy::LeaveOut => {
                let named = self.about.iter().filter(|one| words.contains(&one.name()));
                let gone = named.filter(|one| {
                    one.places.iter().filter(|place| remove(body, place)).count() > 0
                });
                gone.map(|one| (one.name(), "left out".into())).collect()
            }
            Remedy::Rename { from, to } => match body.shift_remove(from) {
                Some(value) => {
                    body.entry(to).or_insert(value);
                    vec![(from, format!("sent as {to}").into())]
                }
                None => Vec::new(),
            },
            Remedy::Change(change) | Remedy::Elsewhere(change) => {
                change(body, words).into_iter().collect()
            }
            Remedy::Advise(_) => Vec::new(),
        }
    }
}

impl Prescription {
    /// Whether there was something to change.
    fn apply(&self, body: &mut Body, attempt: &Attempt<'_>) -> bool {
        let changes = CURES.get(self.number).map(|cure| cure.apply(body, &self.words));
        let changes = changes.unwrap_or_default();
        for (field, what) in &changes {
            attempt.changed(field, what);
        }
        !changes.is_empty()
    }
}

impl Parameter {
    fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }

    fn is_in(&self, refusal: &Refusal) -> bool {
        refusal.is_about(self.names, self.places)
    }
}

/// `max_tokens` counts the thinking too: it has to be more than the budget.
fn make_room_for_budget(body: &mut Body, _: &[&str]) -> Option<Change> {
    let budget = at(body, "thinking.budget_tokens")?.as_i64()?;
    let most = at(body, "max_tokens")?;
    let raised = budget.checked_add(most.as_i64().filter(|most| *most <= budget)?)?;
    *most = raised.into();
    Some(("max_tokens", format!("raised to {raised}, above budget_tokens").into()))
}

/// Function tools together with reasoning are refused; without them the model may reason.
fn reason_not(body: &mut Body, _: &[&str]) -> Option<Change> {
    let mut tools = body.get("tools").and_then(Value::as_array).into_iter().flatten();
    if !tools.any(|tool| tool.get("function").is_some()) {
        return None;
    }
    let before = body.insert("reasoning_effort".to_owned(), "none".into());
    let is_new = before.is_none_or(|before| before != "none");
    is_new.then(|| {
        ("reasoning_effort", "set to \"none\", because the request has function tools".into())
    })
}

/// The words of a refusal but for the effort that `body` asks for: it is no effort to choose.
fn without_effort_of(body: &mut Body, words: &[&'static str]) -> Vec<&'static str> {
    let mut words = words.to_vec();
    for place in EFFORT_PLACES {
        if let Some(effort) = at(body, place).and_then(|effort| effort.as_str()) {
            words.retain(|word| !effort.eq_ignore_ascii_case(word));
        }
    }
    words
}

/// The nearest lower effort that the refusal lists, else the nearest higher. One that it lists
/// stays as it is.
fn lower_effort(body: &mut Body, words: &[&str]) -> Option<Change> {
    let place = EFFORT_PLACES.iter().find(|place| at(body, place).is_some())?;
    let effort = at(body, place)?;
    let before = effort.as_str()?.to_owned();
    let rank = |word: &str| EFFORTS.iter().position(|known| word.eq_ignore_ascii_case(known));
    let asked = rank(&before)?;
    let listed = || words.iter().filter_map(|word| rank(word));
    if listed().any(|rank| rank == asked) {
        return None;
    }
    let lower = listed().filter(|rank| *rank < asked).max();
    let chosen = EFFORTS.get(lower.or_else(|| listed().min())?)?;
    let is_upper = before.chars().all(char::is_uppercase);
    let chosen = if is_upper { chosen.to_uppercase() } else { (*chosen).to_owned() };
    let what = format!("{chosen:?} instead of {before:?}");
    *effort = chosen.into();
    Some(("reasoning_effort", what.into()))
}

/// Forced calls are refused: the model may call a tool, or not.
fn let_model_choose_tools(body: &mut Body, _: &[&str]) -> Option<Change> {
    /// How a choice is written: where its mode stands, the modes that force a call, the one that
    /// does not, and what names the tool.
    const FORMS: &[(&str, &[&str], &str, &str)] = &[
        ("tool_choice.type", &["any", "tool"], "auto", "tool_choice.name"),
        (
            "toolConfig.functionCallingConfig.mode",
            &["ANY"],
            "AUTO",
            "toolConfig.functionCallingConfig.allowedFunctionNames",
        ),
    ];
    let auto = ("tool_choice", "\"auto\": the model may call a tool, but does not have to".into());
    for (place, forced, free, name) in FORMS {
        let Some(mode) = at(body, place) else { continue };
        if mode.as_str().is_some_and(|mode| forced.contains(&mode)) {
            *mode = (*free).into();
            remove(body, name);
            return Some(auto);
        }
    }
    let choice = at(body, "tool_choice")?;
    let is_forced = match choice.as_str() {
        Some(word) => word != "auto" && word != "none",
        None => choice.get("type").is_some_and(|kind| kind != "auto" && kind != "none"),
    };
    *choice = is_forced.then(|| "auto".into())?;
    Some(auto)
}

/// Which kinds of thinking there are depends on the model.
fn adapt_thinking(body: &mut Body, words: &[&str]) -> Option<Change> {
    let model = body.get("model").and_then(Value::as_str).unwrap_or_default();
    let has_between = model.contains("sonnet-5-5") || words.contains(&"between_tools");
    let thinking = at(body, "thinking")?.as_object_mut()?;
    let kind = match thinking.get("type")?.as_str()? {
        "enabled" => "adaptive",
        "disabled" if has_between => "between_tools",
        "disabled" => {
            body.shift_remove("thinking");
            return Some(("thinking", "left out: it cannot be disabled".into()));
        }
        _ => return None,
    };
    thinking.insert("type".to_owned(), kind.into());
    thinking.shift_remove("budget_tokens");
    Some(("thinking", format!("of type {kind:?}").into()))
}

/// Where a schema for the answer stands: its place, where it is below that, what stands there
/// instead, and how the body has its system text.
struct SchemaPlace {
    place: &'static str,
    schema: &'static str,
    instead: Option<fn() -> Value>,
    instruct: fn(&mut Body, &str),
}

static SCHEMA_PLACES: &[SchemaPlace] = &[
    SchemaPlace {
        place: "response_format",
        schema: "/json_schema/schema",
        instead: Some(|| json!({"type": "json_object"})),
        instruct: instruct_in_messages,
    },
    SchemaPlace {
        place: "text.format",
        schema: "/schema",
        instead: Some(|| json!({"type": "json_object"})),
        instruct: |body, text| add_text(body, "instructions", text),
    },
    SchemaPlace {
        place: "output_config.format",
        schema: "/schema",
        instead: None,
        instruct: |body, text| add_text(body, "system", text),
    },
    SchemaPlace {
        place: "generationConfig.responseJsonSchema",
        schema: "",
        instead: None,
        instruct: instruct_in_parts,
    },
    SchemaPlace {
        place: "generationConfig.responseSchema",
        schema: "",
        instead: None,
        instruct: instruct_in_parts,
    },
];

/// The schema of the answer goes into the system text.
fn describe_schema(body: &mut Body, words: &[&str]) -> Option<Change> {
    // Then the schema is wrong, and not that there is one.
    if words.contains(&"invalid schema") {
        return None;
    }
    let (form, schema) = SCHEMA_PLACES.iter().find_map(|form| {
        let schema = at(body, form.place)?.pointer(form.schema)?;
        Some((form, schema.to_string()))
    })?;
    match form.instead {
        Some(instead) => *at(body, form.place)? = instead(),
        None => _ = remove(body, form.place),
    }
    (form.instruct)(
        body,
        &format!("Answer with JSON only, which is valid against this JSON schema:\n{schema}"),
    );
    Some(("response_format", "JSON without a schema; the schema is in the system text".into()))
}

/// Adds to the system message of a chat, or begins the chat with one.
fn instruct_in_messages(body: &mut Body, text: &str) {
    let Some(messages) = body.get_mut("messages").and_then(Value::as_array_mut) else { return };
    let system = messages.iter_mut().find_map(|message| {
        let is_system = ["system", "developer"]
            .iter()
            .any(|role| message.get("role").is_some_and(|r| r == role));
        message.as_object_mut().filter(|_| is_system)
    });
    match system {
        Some(message) => add_text(message, "content", text),
        None => messages.insert(0, json!({"role": "system", "content": text})),
    }
}

fn instruct_in_parts(body: &mut Body, text: &str) {
    let system = body.entry("systemInstruction").or_insert_with(|| json!({"parts": []}));
    if let Some(parts) = system.get_mut("parts").and_then(Value::as_array_mut) {
        parts.push(json!({"text": text}));
    }
}

/// Adds to a text, which is a string, a list of parts, or not there yet.
fn add_text(object: &mut Body, name: &str, text: &str) {
    match object.get_mut(name) {
        Some(Value::Array(parts)) => parts.push(json!({"type": "text", "text": text})),
        Some(Value::String(before)) if !before.is_empty() => {
            before.push_str("\n\n");
            before.push_str(text);
        }
        _ => {
            object.insert(name.to_owned(), text.into());
        }
    }
}

/// The role is newer than many servers.
fn call_developer_system(body: &mut Body, _: &[&str]) -> Option<Change> {
    let mut found = false;
    for list in ["messages", "input"] {
        let messages = body.get_mut(list).and_then(Value::as_array_mut);
        for role in messages.into_iter().flatten().filter_map(|message| message.get_mut("role")) {
            if *role == "developer" {
                *role = "system".into();
                found = true;
            }
        }
    }
    found.then(|| ("messages", "role \"developer\" sent as \"system\"".into()))
}

/// What stands in a place without `**`.
fn at<'b>(body: &'b mut Body, place: &str) -> Option<&'b mut Value> {
    let mut parts = place.split('.');
    let first = body.get_mut(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get_mut(part))
}

/// Takes out what stands in a place, and objects that have nothing else. Whether there was
/// anything.
fn remove(body: &mut Body, place: &str) -> bool {
    let Some((first, rest)) = place.split_once('.') else {
        return body.shift_remove(place).is_some();
    };
    let Some(value) = body.get_mut(first) else { return false };
    if let Some(name) = rest.strip_prefix("**.") {
        return remove_everywhere(value, name, false);
    }
    let Value::Object(inner) = value else { return false };
    let found = remove(inner, rest);
    if found && inner.is_empty() {
        body.shift_remove(first);
    }
    found
}

/// Takes a key out of objects of any depth, but not out of those whose keys are names of the
/// program's own.
fn remove_everywhere(value: &mut Value, key: &str, are_names: bool) -> bool {
    const NAMES: &[&str] = &["properties", "patternProperties", "$defs", "definitions"];
    const DATA: &[&str] = &["default", "enum", "const", "examples"];
    match value {
        Value::Array(items) => {
            let found = items.iter_mut().map(|item| remove_everywhere(item, key, false));
            found.filter(|found| *found).count() > 0
        }
        Value::Object(fields) => {
            let mut found = !are_names && fields.shift_remove(key).is_some();
            for (name, value) in fields.iter_mut() {
                let is_data = !are_names && DATA.contains(&&**name);
                let holds_names = !are_names && NAMES.contains(&&**name);
                found |= !is_data && remove_everywhere(value, key, holds_names);
            }
            found
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;
    use crate::answer::Answer;
    use crate::client::Client;
    use crate::dialects::Dialect;
    use crate::model::Model;
    use crate::request::Request;
    use crate::session::{Polled, Session};

    /// Posts, reads an event of the answer, and posts again.
    struct Continuing(Healer, String);

    impl Dialect for Continuing {
        fn run(
            &self,
            _: &Request,
            attempt: &mut Attempt<'_>,
            answer: &mut Answer<'_>,
        ) -> Result<()> {
            let mut body = Map::new();
            body.insert("seed".to_owned(), 1.into());
            let response = self.0.post(&self.1, &Headers::default(), &mut body, attempt)?;
            let mut events = attempt.events(response);
            assert!(attempt.next(&mut events, answer)?);
            self.0.post(&self.1, &Headers::default(), &mut body, attempt).map(|_| ())
        }

        fn models(&self, _: &mut Attempt<'_>) -> Result<Vec<Model>> {
            Ok(Vec::new())
        }
    }

    #[test]
    fn request_that_goes_on_with_an_answer_is_not_healed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let refusal = "{\"error\":{\"message\":\"Unknown parameter\",\"param\":\"seed\"}}";
            for (status, body) in [(200, "data: {}\n\n"), (400, refusal)] {
                let (mut stream, _) = listener.accept().unwrap();
                assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status} Scripted\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
                );
                stream.write_all((head + body).as_bytes()).unwrap();
            }
        });
        let mut config = Config::new("openai").unwrap();
        for (key, value) in [("api_key", "k"), ("proxy", "direct"), ("base_url", &url)] {
            config.set(key, Some(value)).unwrap();
        }
        let dialect = Box::new(Continuing(Healer::new(&config), url));
        let client = Client::speaking(&config, dialect).unwrap();
        let mut session = Session::open(&client, &Request::new(Some("m"))).unwrap();
        let error = loop {
            match session.poll(None) {
                Ok(Polled::Chunk(_)) => {}
                Ok(other) => panic!("{other:?}"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.http_status(), Some(400));
        assert_eq!(session.facts().told().unwrap().changed, "[]");
        server.join().unwrap();
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let healer = Healer::new(&Config::new("openai").unwrap());
        let words = vec!["seed"];
        for number in 0..MOST + 10 {
            let place = (String::new(), number.to_string());
            for _ in 0..3 {
                healer.remember(place.clone(), Prescription { number: 0, words: words.clone() });
            }
        }
        let known = healer.lock();
        assert_eq!(known.len(), MOST);
        assert!(known.values().all(|cures| cures.len() == 1 && cures[0].words == words));
    }
}
