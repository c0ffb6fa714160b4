//! Parameters that a server refuses: what is changed, once, told and remembered.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails where it cannot go on"
)]

mod support;

use serde_json::{Value, json};
use support::server::{Request, Server};
use support::{c, openai};

/// The lines of tests/c/turns.c.
fn turns(server: &Server, args: &[&str]) -> Vec<String> {
    let program = c::program("turns").arg(server.url()).arg("api=chat");
    let program = args.iter().fold(program, |program, arg| program.arg(arg));
    program.run().passed().stdout.lines().map(str::to_owned).collect()
}

/// A request with these fields, as an argument.
fn ask(fields: &Value) -> String {
    let mut request = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
    for (name, value) in fields.as_object().unwrap() {
        request[name] = value.clone();
    }
    format!("@{request}")
}

fn refusal(message: &str, param: Option<&str>) -> Value {
    json!({"error": {"message": message, "type": "invalid_request_error", "param": param}})
}

/// What differs of two bodies, by the fields of the first and the second.
fn differences(before: &Value, after: &Value) -> Value {
    let (before, after) = (before.as_object().unwrap(), after.as_object().unwrap());
    let names = before.keys().chain(after.keys());
    let changed = names.filter(|name| before.get(*name) != after.get(*name));
    changed.map(|name| (name.clone(), after.get(name).cloned().unwrap_or_default())).collect()
}

/// Asks with `fields` of a server that refuses the first request with `refusal`. Fails unless
/// the request is sent once more with `cured` changed (null: left out), the next request is
/// changed at once, both are told, and nothing is changed with heal=false, or twice.
fn assert_healed(fields: &Value, refusal: &Value, cured: &Value) {
    for status in [400, 422] {
        let body = refusal.to_string();
        let server = Server::start(move |exchange| match exchange.number {
            0 => exchange.whole(status, "application/json", &body),
            _ => exchange.stream(openai::stream(&["Hi"])),
        });
        let lines = turns(&server, &[&ask(fields), &ask(fields)]);
        let bodies: Vec<Value> = server.requests().iter().map(Request::json).collect();
        assert_eq!(bodies.len(), 3, "{refusal}: {lines:?}");
        assert_eq!(differences(&bodies[0], &bodies[1]), *cured, "{refusal}");
        assert_eq!(bodies[1], bodies[2], "{refusal}");
        let told: Vec<&String> = lines.iter().filter(|line| line.starts_with("changed ")).collect();
        assert_eq!(told.len(), 2, "{lines:?}");
        assert_eq!(told[0], told[1]);
        let told: Value = serde_json::from_str(told[0].strip_prefix("changed ").unwrap()).unwrap();
        assert!(!told[0]["field"].as_str().unwrap().is_empty(), "{told}");
        assert!(!told[0]["change"].as_str().unwrap().is_empty(), "{told}");
    }
    let server = refusing(refusal);
    let lines = turns(&server, &["heal=false", &ask(fields)]);
    assert!(lines.iter().any(|line| line.starts_with("error TOLMACH_E_")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("changed ")), "{lines:?}");
    assert_eq!(server.requests().len(), 1);
    // What does not help is not tried again, nor remembered.
    let server = refusing(refusal);
    let lines = turns(&server, &[&ask(fields), &ask(fields)]);
    assert_eq!(lines.iter().filter(|line| line.starts_with("error ")).count(), 2, "{lines:?}");
    let bodies: Vec<Value> = server.requests().iter().map(Request::json).collect();
    assert_eq!(bodies.len(), 4);
    assert_eq!(bodies[0], bodies[2]);
}

/// Refuses everything.
fn refusing(refusal: &Value) -> Server {
    let body = refusal.to_string();
    Server::start(move |exchange| exchange.whole(400, "application/json", &body))
}

fn assert_not_healed(fields: &Value, refusal: &Value) -> Vec<String> {
    let server = refusing(refusal);
    let lines = turns(&server, &[&ask(fields)]);
    assert_eq!(server.requests().len(), 1, "{refusal}: {lines:?}");
    lines
}

fn tool(function: Value) -> Value {
    json!([{"type": "function", "function": function}])
}

#[test]
fn stream_options_are_left_out() {
    for message in ["Unknown field: stream_options", "include_usage is not supported"] {
        assert_healed(&json!({}), &refusal(message, None), &json!({"stream_options": null}));
    }
    let options = json!({"stream_options": {"include_usage": true, "include_obfuscation": false}});
    assert_healed(
        &options,
        &refusal("Unknown parameter", Some("stream_options.include_obfuscation")),
        &json!({"stream_options": {"include_usage": true}}),
    );
}

#[test]
fn max_tokens_goes_by_the_name_that_the_server_knows() {
    assert_healed(
        &json!({"max_tokens": 7}),
        &refusal(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            Some("max_tokens"),
        ),
        &json!({"max_tokens": null, "max_completion_tokens": 7}),
    );
    let unknown = json!({"detail": [{"type": "extra_forbidden", "loc": ["body", "max_completion_tokens"], "msg": "Extra inputs are not permitted", "input": 7}]});
    for refusal in
        [unknown, refusal("max_completion_tokens is not supported, use max_tokens", None)]
    {
        assert_healed(
            &json!({"max_completion_tokens": 7}),
            &refusal,
            &json!({"max_completion_tokens": null, "max_tokens": 7}),
        );
    }
}

#[test]
fn sampling_parameters_are_left_out() {
    for (message, param, cured) in [
        (
            "Unsupported value: 'temperature' does not support 0.5 with this model. Only the default (1) value is supported.",
            Some("temperature"),
            json!({"temperature": null}),
        ),
        (
            "`temperature` and `top_p` are deprecated for this model.",
            None,
            json!({"temperature": null, "top_p": null}),
        ),
        ("`temperature` and `top_p` cannot both be specified", None, json!({"top_p": null})),
        ("top_k: Extra inputs are not permitted", None, json!({"top_k": null})),
        (
            "Model does not support parameters presence_penalty, frequency_penalty",
            None,
            json!({"presence_penalty": null, "frequency_penalty": null}),
        ),
        (
            "logprobs are not supported with reasoning models",
            None,
            json!({"logprobs": null, "top_logprobs": null}),
        ),
    ] {
        let fields = json!({"temperature": 0.5, "top_p": 0.5, "top_k": 3, "presence_penalty": 1,
            "frequency_penalty": 1, "logprobs": true, "top_logprobs": 2});
        assert_healed(&fields, &refusal(message, param), &cured);
    }
    let gemini = json!({"generationConfig": {"topK": 3, "seed": 1}});
    let refused = json!({"error": {"status": "INVALID_ARGUMENT", "message": "topK is not supported", "details": [{"fieldViolations": [{"field": "generation_config.top_k"}]}]}});
    assert_healed(&gemini, &refused, &json!({"generationConfig": {"seed": 1}}));
}

#[test]
fn value_that_is_wrong_is_not_healed() {
    let lines = assert_not_healed(
        &json!({"temperature": 5}),
        &refusal(
            "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 5 instead.",
            Some("temperature"),
        ),
    );
    assert!(lines.iter().any(|line| line.contains("decimal above maximum")), "{lines:?}");
}

#[test]
fn tools_that_are_refused_together_with_reasoning_go_without_reasoning() {
    let refused = refusal(
        "Function tools with reasoning_effort are not supported for gpt-5.6-sol in /v1/chat/completions. To use function tools, use /v1/responses or set reasoning_effort to 'none'.",
        Some("reasoning_effort"),
    );
    let tools = tool(json!({"name": "f"}));
    for fields in [json!({"tools": tools}), json!({"tools": tools, "reasoning_effort": "high"})] {
        assert_healed(&fields, &refused, &json!({"reasoning_effort": "none"}));
    }
}

#[test]
fn effort_becomes_the_nearest_lower_one_that_the_server_lists() {
    let listed = "Unsupported value: 'X' is not supported with this model. Supported values are: 'low', 'medium', and 'high'.";
    for (asked, sent) in [("xhigh", "high"), ("max", "high"), ("minimal", "low"), ("none", "low")] {
        assert_healed(
            &json!({"reasoning_effort": asked}),
            &refusal(&listed.replace('X', asked), Some("reasoning_effort")),
            &json!({"reasoning_effort": sent}),
        );
    }
    let refused = refusal("effort: xhigh is not supported, use one of low, medium, high", None);
    assert_healed(
        &json!({"reasoning": {"effort": "xhigh", "summary": "auto"}}),
        &refused,
        &json!({"reasoning": {"effort": "high", "summary": "auto"}}),
    );
    assert_healed(
        &json!({"output_config": {"effort": "xhigh"}}),
        &refused,
        &json!({"output_config": {"effort": "high"}}),
    );
    assert_healed(
        &json!({"generationConfig": {"thinkingConfig": {"thinkingLevel": "XHIGH"}}}),
        &refusal("thinking_level XHIGH is not supported: LOW, HIGH", None),
        &json!({"generationConfig": {"thinkingConfig": {"thinkingLevel": "HIGH"}}}),
    );
    assert_healed(
        &json!({"reasoning_effort": "high"}),
        &refusal("Unrecognized request argument supplied: reasoning_effort", None),
        &json!({"reasoning_effort": null}),
    );
}

/// The bodies that a server gets which refuses the first request.
fn bodies_after(refused: &Value, requests: &[Value]) -> Vec<Value> {
    let body = refused.to_string();
    let server = Server::start(move |exchange| match exchange.number {
        0 => exchange.whole(400, "application/json", &body),
        _ => exchange.stream(openai::stream(&["Hi"])),
    });
    let args: Vec<String> = requests.iter().map(ask).collect();
    turns(&server, &args.iter().map(String::as_str).collect::<Vec<_>>());
    server.requests().iter().map(Request::json).collect()
}

#[test]
fn effort_that_the_server_lists_is_sent_as_it_is_afterwards() {
    let refused = refusal(
        "Unsupported value: 'minimal' is not supported with this model. Supported values are: 'none', 'low', 'medium', and 'high'.",
        Some("reasoning_effort"),
    );
    let requests = ["minimal", "medium", "high", "none", "minimal", "max"]
        .map(|effort| json!({"reasoning_effort": effort}));
    let bodies = bodies_after(&refused, &requests);
    let sent: Vec<&str> =
        bodies.iter().map(|body| body["reasoning_effort"].as_str().unwrap()).collect();
    assert_eq!(sent, ["minimal", "none", "medium", "high", "none", "none", "high"]);
}

#[test]
fn request_without_functions_keeps_its_reasoning_where_functions_cost_it() {
    let refused = refusal(
        "Function tools with reasoning_effort are not supported for m in /v1/chat/completions. To use function tools, use /v1/responses or set reasoning_effort to 'none'.",
        Some("reasoning_effort"),
    );
    let tools = tool(json!({"name": "f"}));
    let requests = [
        json!({"tools": tools}),
        json!({}),
        json!({"reasoning_effort": "high"}),
        json!({"tools": tools, "reasoning_effort": "high"}),
    ];
    let bodies = bodies_after(&refused, &requests);
    let sent: Vec<&Value> = bodies.iter().map(|body| &body["reasoning_effort"]).collect();
    assert_eq!(sent, [&Value::Null, &"none".into(), &Value::Null, &"high".into(), &"none".into()]);
}

#[test]
fn forced_tools_become_a_choice_of_the_model() {
    let named = json!({"type": "function", "function": {"name": "f"}});
    for (given, sent) in [
        (json!("required"), json!("auto")),
        (named, json!("auto")),
        (json!({"type": "any"}), json!({"type": "auto"})),
        (json!({"type": "tool", "name": "f"}), json!({"type": "auto"})),
    ] {
        assert_healed(
            &json!({"tool_choice": given}),
            &refusal("Thinking may not be enabled when tool_choice forces tool use.", None),
            &json!({"tool_choice": sent}),
        );
    }
    assert_healed(
        &json!({"toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}}}),
        &refusal("function_calling_config mode ANY is not supported", None),
        &json!({"toolConfig": {"functionCallingConfig": {"mode": "AUTO"}}}),
    );
}

#[test]
fn kind_of_thinking_is_one_that_the_model_has() {
    let enabled = "\"thinking.type.enabled\" is not supported for this model. Use \"thinking.type.adaptive\" and \"output_config.effort\" to control thinking behavior.";
    assert_healed(
        &json!({"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        &refusal(enabled, None),
        &json!({"thinking": {"type": "adaptive"}}),
    );
    let disabled = "thinking.type.disabled is not supported for this model";
    let off = json!({"thinking": {"type": "disabled"}});
    assert_healed(&off, &refusal(disabled, None), &json!({"thinking": null}));
    let between = json!({"thinking": {"type": "between_tools"}});
    let named = format!("{disabled}: use \"between_tools\"");
    assert_healed(&off, &refusal(&named, None), &between);
    let sonnet = json!({"thinking": {"type": "disabled"}, "model": "claude-sonnet-5-5"});
    assert_healed(&sonnet, &refusal(disabled, None), &between);
}

#[test]
fn max_tokens_is_raised_above_the_budget_of_thinking() {
    assert_healed(
        &json!({"max_tokens": 1000, "thinking": {"type": "enabled", "budget_tokens": 4000}}),
        &refusal("`max_tokens` must be greater than `thinking.budget_tokens`.", None),
        &json!({"max_tokens": 5000}),
    );
}

#[test]
fn schema_of_the_answer_goes_into_the_system_text() {
    let schema = json!({"type": "object"});
    let text =
        "Answer with JSON only, which is valid against this JSON schema:\n{\"type\":\"object\"}";
    let format = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}});
    let refused = refusal("This response_format type is unavailable now", None);
    let user = json!({"role": "user", "content": "Hi"});
    assert_healed(
        &json!({"response_format": format}),
        &refused,
        &json!({"response_format": {"type": "json_object"},
            "messages": [{"role": "system", "content": text}, user]}),
    );
    assert_healed(
        &json!({"response_format": format, "messages": [{"role": "system", "content": "Be brief."}, user]}),
        &refused,
        &json!({"response_format": {"type": "json_object"},
            "messages": [{"role": "system", "content": format!("Be brief.\n\n{text}")}, user]}),
    );
    assert_healed(
        &json!({"text": {"format": {"type": "json_schema", "name": "n", "schema": schema}}}),
        &refusal("json_schema is not supported", Some("text.format")),
        &json!({"text": {"format": {"type": "json_object"}}, "instructions": text}),
    );
    let wanted = json!({"type": "json_schema", "schema": schema});
    assert_healed(
        &json!({"output_config": {"format": wanted}, "system": [{"type": "text", "text": "Be brief."}]}),
        &refusal("output_config.format: Extra inputs are not permitted", None),
        &json!({"output_config": null, "system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": text}]}),
    );
    assert_healed(
        &json!({"generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": schema}}),
        &refusal("responseJsonSchema is not supported for this model", None),
        &json!({"generationConfig": {"responseMimeType": "application/json"}, "systemInstruction": {"parts": [{"text": text}]}}),
    );
    assert_not_healed(
        &json!({"response_format": format}),
        &refusal(
            "Invalid schema for response_format 'n': 'minLength' is not permitted.",
            Some("response_format"),
        ),
    );
    assert_not_healed(
        &json!({"response_format": format}),
        &refusal(
            "'response_format.json_schema.name' must be at most 64 characters long.",
            Some("response_format.json_schema.name"),
        ),
    );
}

#[test]
fn keys_of_tools_that_a_server_does_not_know_are_left_out() {
    let parameters = |extra: Value| {
        let mut parameters = json!({"type": "object", "properties": {"strict": {"type": "object", "properties": {}}}});
        for (name, value) in extra.as_object().unwrap() {
            parameters[name] = value.clone();
            parameters["properties"]["strict"][name] = value.clone();
        }
        parameters
    };
    let strict = json!({"name": "f", "strict": true, "parameters": parameters(json!({}))});
    let plain = json!({"name": "f", "parameters": parameters(json!({}))});
    assert_healed(
        &json!({"tools": tool(strict)}),
        &refusal("tools.0.function.strict: Extra inputs are not permitted", None),
        &json!({"tools": tool(plain.clone())}),
    );
    for key in ["additionalProperties", "$schema"] {
        let with = json!({"name": "f", "parameters": parameters(json!({key: false}))});
        let refused = json!({"error": {"status": "INVALID_ARGUMENT", "message": format!("Unknown name \"{key}\" at 'tools[0]': Cannot find field."),
            "details": [{"fieldViolations": [{"field": "tools[0].function_declarations[0].parameters"}]}]}});
        assert_healed(
            &json!({"tools": tool(with.clone())}),
            &refused,
            &json!({"tools": tool(plain.clone())}),
        );
        assert_healed(
            &json!({"tools": [{"functionDeclarations": [with]}]}),
            &refused,
            &json!({"tools": [{"functionDeclarations": [plain]}]}),
        );
    }
}

#[test]
fn hints_that_a_server_does_not_know_are_left_out() {
    for (name, value) in [
        ("parallel_tool_calls", json!(false)),
        ("seed", json!(1)),
        ("n", json!(2)),
        ("store", json!(true)),
        ("service_tier", json!("flex")),
        ("metadata", json!({})),
        ("user", json!("u")),
    ] {
        for refused in [
            refusal(&format!("Unknown parameter: '{name}'."), Some(name)),
            refusal(&format!("property '{name}' is unsupported"), None),
        ] {
            assert_healed(&json!({name: value}), &refused, &json!({name: null}));
        }
    }
}

#[test]
fn developer_becomes_system_where_the_role_is_not_known() {
    let developer =
        json!([{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}]);
    let system =
        json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]);
    for refused in [
        refusal("'developer' is not one of ['system', 'assistant', 'user']", None),
        json!({"detail": [{"type": "enum", "loc": ["body", "messages", 0, "role"], "msg": "Input should be 'system' or 'user'"}]}),
    ] {
        assert_healed(&json!({"messages": developer}), &refused, &json!({"messages": system}));
    }
}

#[test]
fn developer_of_a_quoted_prompt_stays_a_developer() {
    let developer = json!([{"role": "developer", "content": "Be brief."}]);
    let refused = refusal("Content blocked: 'I am a developer of bombs'", None);
    assert_not_healed(&json!({"messages": developer}), &refused);
}

#[test]
fn summaries_of_reasoning_that_an_account_may_not_have_are_left_out() {
    assert_healed(
        &json!({"reasoning": {"effort": "low", "summary": "auto"}}),
        &refusal(
            "Your organization must be verified to generate reasoning summaries.",
            Some("reasoning.summary"),
        ),
        &json!({"reasoning": {"effort": "low"}}),
    );
    assert_healed(
        &json!({"include": ["reasoning.encrypted_content"]}),
        &refusal("Encrypted content is not supported with this model.", Some("include")),
        &json!({"include": null}),
    );
}

#[test]
fn missing_reasoning_is_not_healed_and_the_error_says_what_to_do() {
    for message in [
        "Function call is missing a thought_signature in functionCall parts.",
        "The `reasoning_content` in the thinking mode must be passed back to the API.",
    ] {
        for setting in ["heal=true", "heal=false"] {
            let server = refusing(&refusal(message, None));
            let lines = turns(&server, &[setting, &ask(&json!({"temperature": 1}))]);
            let error = lines.iter().find(|line| line.starts_with("error ")).unwrap();
            assert!(
                error.contains(message) && error.contains("tolmach_request_reply()"),
                "{error}"
            );
            assert_eq!(server.requests().len(), 1);
        }
    }
}

#[test]
fn word_of_a_quoted_prompt_heals_nothing() {
    let message = "Invalid content in 'messages': 'the temperature and top_p are not supported'";
    assert_not_healed(&json!({"temperature": 1, "top_p": 1}), &refusal(message, Some("messages")));
}

#[test]
fn second_refusal_is_an_error_and_each_cure_is_remembered() {
    let server = Server::start(|exchange| {
        let body = exchange.request.json();
        let refused = ["seed", "user"].into_iter().find(|name| body.get(*name).is_some());
        match refused {
            Some(name) => exchange.whole(
                400,
                "application/json",
                refusal("Unknown parameter", Some(name)).to_string(),
            ),
            None => exchange.stream(openai::stream(&["Hi"])),
        }
    });
    let fields = json!({"seed": 1, "user": "u"});
    let lines = turns(&server, &[&ask(&fields), &ask(&fields), &ask(&fields)]);
    assert_eq!(lines.iter().filter(|line| line.starts_with("error ")).count(), 1, "{lines:?}");
    assert_eq!(lines.iter().filter(|line| *line == "end").count(), 2);
    // The first fails, the second knows one of both, the third knows both.
    assert_eq!(server.requests().len(), 2 + 2 + 1);
}

#[test]
fn cure_is_remembered_for_its_model_alone_and_a_retry_heals_no_second_time() {
    let server = Server::start(|exchange| match exchange.number {
        0 | 2 => exchange.whole(
            400,
            "application/json",
            refusal("Unknown parameter", Some(if exchange.number == 0 { "seed" } else { "user" }))
                .to_string(),
        ),
        1 => exchange.head(503, &[("Content-Length", "0"), ("Retry-After", "0")]),
        _ => exchange.stream(openai::stream(&["Hi"])),
    });
    let fields = json!({"seed": 1, "user": "u"});
    let other = json!({"seed": 1, "user": "u", "model": "other"});
    let lines = turns(&server, &[&ask(&fields), &ask(&fields), &ask(&other)]);
    assert_eq!(lines.iter().filter(|line| line.starts_with("error ")).count(), 1, "{lines:?}");
    let sent: Vec<[bool; 2]> = server
        .requests()
        .iter()
        .map(Request::json)
        .map(|body| ["seed", "user"].map(|name| body.get(name).is_some()))
        .collect();
    assert_eq!(sent, [[true, true], [false, true], [false, true], [false, true], [true, true]]);
}

#[test]
fn nothing_is_healed_after_the_first_chunk() {
    let error = refusal("Unknown parameter", Some("seed")).to_string();
    let body = openai::text("Hi") + &format!("data: {error}\n\n");
    let server = Server::answering("text/event-stream", body);
    let lines = turns(&server, &[&ask(&json!({"seed": 1}))]);
    assert!(lines.iter().any(|line| line.starts_with("error ")), "{lines:?}");
    assert_eq!(server.requests().len(), 1);
}
