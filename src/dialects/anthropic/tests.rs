//! What of a request is changed, and that it is told.

use serde_json::{Value, json};

use super::models_table::Traits;
use super::request::{Mapped, Target, map};
use crate::request::Request;

fn mapped(model: &str, version: &str, heal: bool, fields: &Value) -> Mapped {
    let mut request = json!({"messages": [{"role": "user", "content": "Hi"}]});
    request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let request = Request::from_json(&request.to_string()).unwrap();
    let traits = Traits::of(model);
    map(&request, &Target { model, label: "Anthropic", version, traits, heal }).unwrap()
}

/// Asserts what stands in the body at `place`, and which fields are told to have changed.
fn assert_told(model: &str, fields: Value, place: &str, wanted: Value, told: &[&str]) {
    let mapped = mapped(model, "2023-06-01", true, &fields);
    let found = Value::Object(mapped.body).pointer(place).cloned().unwrap_or_default();
    assert_eq!(found, wanted, "{model} {fields} {place}");
    let changes: Vec<&str> = mapped.changes.iter().map(|(field, _)| &**field).collect();
    assert_eq!(changes, told, "{model} {fields}");
}

/// A model of each row of the table.
const ROWS: [&str; 19] = [
    "claude-sonnet-5-5",
    "claude-opus-5-5",
    "claude-fable-5-1",
    "claude-fable-5-2",
    "claude-haiku-5-5",
    "claude-opus-5",
    "claude-fable-5",
    "claude-sonnet-5",
    "claude-opus-4-8",
    "claude-opus-4-7",
    "claude-sonnet-4-6",
    "claude-opus-4-6",
    "claude-sonnet-4-5",
    "claude-opus-4-5",
    "claude-haiku-4-5",
    "claude-opus-4-1",
    "claude-opus-4-20250514",
    "claude-sonnet-4-20250514",
    "deepseek-v4-pro",
];

/// How many of the first rows refuse sampling parameters.
const WITHOUT_SAMPLING: usize = 10;

#[test]
fn sampling_that_a_model_refuses_is_left_out_and_told() {
    for (number, model) in ROWS.into_iter().enumerate() {
        for name in ["temperature", "top_p", "top_k"] {
            let fields = json!({name: 0.5});
            let place = format!("/{name}");
            match number < WITHOUT_SAMPLING {
                true => assert_told(model, fields, &place, Value::Null, &[name]),
                false => assert_told(model, fields, &place, json!(0.5), &[]),
            }
        }
    }
    assert_told("claude-9", json!({"top_p": 0.5}), "/top_p", Value::Null, &["top_p"]);
    // Nothing is known of what others take, and nothing is changed that need not be.
    let both = json!({"temperature": 1.5, "top_p": 0.5});
    assert_told("deepseek-v4-pro", both.clone(), "/temperature", json!(1.5), &[]);
    let mapped = mapped("claude-opus-5-5", "2023-06-01", false, &both);
    assert_eq!((mapped.body["temperature"].clone(), mapped.changes.len()), (json!(1.5), 0));
}

#[test]
fn sampling_is_limited_on_older_models() {
    let old = "claude-sonnet-4-5";
    let both = json!({"temperature": 0.5, "top_p": 0.5});
    assert_told(old, both.clone(), "/temperature", json!(0.5), &["top_p"]);
    assert_told(old, both, "/top_p", Value::Null, &["top_p"]);
    assert_told(old, json!({"temperature": 2}), "/temperature", json!(1), &["temperature"]);
    for (name, value, kept) in [
        ("temperature", 0.5, false),
        ("temperature", 1.0, true),
        ("top_p", 0.9, false),
        ("top_k", 5.0, false),
    ] {
        let fields = json!({"reasoning_effort": "low", name: value});
        let wanted = if kept { json!(value) } else { Value::Null };
        let told: &[&str] = if kept { &[] } else { &[name] };
        assert_told(old, fields, &format!("/{name}"), wanted, told);
    }
}

#[test]
fn newer_version_of_the_api_takes_no_sampling_at_all() {
    let mapped =
        mapped("claude-sonnet-4-5", "2026-10-21", true, &json!({"temperature": 1, "top_k": 3}));
    assert_eq!((mapped.body.get("temperature"), mapped.body.get("top_k")), (None, None));
    assert_eq!(mapped.changes.len(), 2);
}

#[test]
fn forced_tools_that_a_model_refuses_are_left_to_it_and_told() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let refuse = ["claude-sonnet-5-5", "claude-opus-5-5", "claude-fable-5-1", "claude-fable-5-2"];
    for model in ROWS.into_iter().chain(["claude-9"]) {
        let is_refused = refuse.contains(&model) || model == "claude-9";
        for (choice, own) in [
            (json!("required"), json!({"type": "any"})),
            (
                json!({"type": "function", "function": {"name": "f"}}),
                json!({"type": "tool", "name": "f"}),
            ),
        ] {
            let fields = json!({"tools": tools, "tool_choice": choice});
            let wanted = if is_refused { json!({"type": "auto"}) } else { own };
            let told: &[&str] = if is_refused { &["tool_choice"] } else { &[] };
            assert_told(model, fields, "/tool_choice", wanted, told);
        }
    }
    let thinking = json!({"tools": tools, "tool_choice": "required", "reasoning_effort": "low"});
    let auto = json!({"type": "auto"});
    assert_told("claude-opus-4-5", thinking.clone(), "/tool_choice", auto, &["tool_choice"]);
    assert_told("deepseek-v4-pro", thinking, "/tool_choice", json!({"type": "any"}), &[]);
}

#[test]
fn thinking_is_asked_for_as_each_model_takes_it() {
    let adaptive = json!({"type": "adaptive", "display": "summarized"});
    let enabled = |budget: i64| json!({"type": "enabled", "budget_tokens": budget});
    for (number, model) in ROWS.into_iter().enumerate() {
        let fields = json!({"reasoning_effort": "high"});
        let is_adaptive = number < 12;
        let (thinking, effort) = match is_adaptive {
            true => (adaptive.clone(), json!("high")),
            false => (enabled(6144), Value::Null),
        };
        assert_told(model, fields.clone(), "/thinking", thinking, &[]);
        assert_told(model, fields, "/output_config/effort", effort, &[]);
        // A budget of the program's own.
        let fields = json!({"thinking": enabled(2000)});
        let takes_budget = !matches!(number, 0..=4 | 6);
        match takes_budget {
            true => assert_told(model, fields, "/thinking", enabled(2000), &[]),
            false => {
                assert_told(model, fields, "/thinking", json!({"type": "adaptive"}), &["thinking"]);
            }
        }
        let own = json!({"thinking": {"type": "adaptive", "display": "omitted"}});
        match is_adaptive || model == "deepseek-v4-pro" {
            true => assert_told(model, own.clone(), "/thinking", own["thinking"].clone(), &[]),
            false => {
                let mut wanted = enabled(4096);
                wanted["display"] = "omitted".into();
                assert_told(model, own, "/thinking", wanted, &["thinking"]);
            }
        }
    }
    for (effort, budget) in
        [("low", 1024), ("medium", 4096), ("high", 6144), ("xhigh", 7168), ("max", 7168)]
    {
        let fields = json!({"reasoning_effort": effort});
        assert_told("claude-haiku-4-5", fields.clone(), "/thinking", enabled(budget), &[]);
        assert_told("claude-opus-5", fields, "/output_config/effort", json!(effort), &[]);
    }
    let least = json!({"reasoning_effort": "minimal"});
    assert_told(
        "claude-opus-5",
        least.clone(),
        "/output_config/effort",
        json!("low"),
        &["reasoning_effort"],
    );
    assert_told("claude-opus-4-5", least, "/thinking", enabled(1024), &["reasoning_effort"]);
    let short = json!({"reasoning_effort": "max", "max_tokens": 1024});
    assert_told("claude-opus-4-5", short, "/thinking", Value::Null, &["reasoning_effort"]);
    let long = json!({"reasoning_effort": "medium", "max_tokens": 1025});
    assert_told("claude-opus-4-5", long, "/thinking", enabled(1024), &[]);
    let none = json!({"reasoning_effort": "low"});
    assert_told("claude-3-5-haiku-20241022", none, "/thinking", Value::Null, &["reasoning_effort"]);
}

#[test]
fn thinking_is_switched_off_as_each_model_takes_it() {
    let off = json!({"type": "disabled"});
    for model in ROWS {
        for fields in [json!({"reasoning_effort": "none"}), json!({"thinking": off})] {
            let (wanted, told): (Value, &[&str]) = match model {
                "claude-sonnet-5-5" => (json!({"type": "between_tools"}), &["thinking"]),
                "claude-opus-5-5" | "claude-fable-5-1" | "claude-fable-5-2" | "claude-fable-5" => {
                    (Value::Null, &["thinking"])
                }
                _ => (off.clone(), &[]),
            };
            assert_told(model, fields, "/thinking", wanted, told);
        }
    }
    let none = json!({"reasoning_effort": "none"});
    assert_told("claude-3-haiku-20240307", none, "/thinking", Value::Null, &[]);
    // Without thinking no more than a high effort is taken.
    let most = |kind: &str| json!({"thinking": {"type": kind}, "output_config": {"effort": "max"}});
    for (model, kind, wanted) in [
        ("claude-opus-5", "disabled", "high"),
        ("claude-haiku-5-5", "disabled", "high"),
        ("claude-sonnet-5-5", "between_tools", "high"),
        ("claude-sonnet-5", "disabled", "max"),
        ("claude-opus-5", "adaptive", "max"),
    ] {
        let told: &[&str] = if wanted == "high" { &["output_config.effort"] } else { &[] };
        assert_told(model, most(kind), "/output_config/effort", json!(wanted), told);
    }
    let told = &["thinking", "output_config.effort"];
    assert_told(
        "claude-sonnet-5-5",
        most("disabled"),
        "/output_config/effort",
        json!("high"),
        told,
    );
}

#[test]
fn thinking_that_is_lost_is_not_gone_on_with() {
    let call = json!({"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let messages = |assistant: Value| {
        json!({"reasoning_effort": "low", "messages": [
            {"role": "user", "content": "Hi"}, assistant,
            {"role": "tool", "tool_call_id": "a", "content": "1"},
        ]})
    };
    let bare = messages(json!({"role": "assistant", "tool_calls": [call]}));
    let thought = messages(json!({"role": "assistant", "tool_calls": [call],
        "thinking_blocks": [{"type": "thinking", "thinking": "t", "signature": "s"}]}));
    let budget = json!({"type": "enabled", "budget_tokens": 1024});
    assert_told("claude-opus-4-5", bare.clone(), "/thinking", Value::Null, &["thinking"]);
    assert_told("claude-opus-4-5", thought, "/thinking", budget.clone(), &[]);
    assert_told("deepseek-v4-pro", bare.clone(), "/thinking", budget, &[]);
    let adaptive = json!({"type": "adaptive", "display": "summarized"});
    assert_told("claude-opus-4-6", bare, "/thinking", adaptive, &[]);
}

#[test]
fn answer_is_no_longer_than_the_model_takes() {
    for (model, most) in [
        ("claude-opus-5-5", 128_000),
        ("claude-opus-4-6", 128_000),
        ("claude-haiku-4-5", 64_000),
        ("claude-opus-4-1", 32_000),
        ("claude-sonnet-4-20250514", 64_000),
        ("claude-3-5-sonnet-20241022", 8192),
        ("claude-3-haiku-20240307", 4096),
    ] {
        let asked = |tokens: i64| json!({"max_tokens": tokens});
        assert_told(model, asked(most), "/max_tokens", json!(most), &[]);
        assert_told(model, asked(most + 1), "/max_tokens", json!(most), &["max_tokens"]);
        assert_told(model, json!({}), "/max_tokens", json!(most.min(8192)), &[]);
    }
    let large = json!({"max_completion_tokens": 1_000_000});
    assert_told("deepseek-v4-pro", large, "/max_tokens", json!(1_000_000), &[]);
    let budget = json!({"thinking": {"type": "enabled", "budget_tokens": 10_000}});
    assert_told("claude-haiku-4-5", budget, "/max_tokens", json!(18_192), &[]);
}

#[test]
fn fields_without_a_counterpart_are_told() {
    for (fields, told) in [
        (json!({"seed": 7}), "seed"),
        (json!({"frequency_penalty": 1}), "frequency_penalty"),
        (json!({"presence_penalty": 1}), "presence_penalty"),
        (json!({"store": true}), "store"),
        (json!({"stream_options": {"include_usage": true}}), "stream_options"),
        (json!({"prediction": {}}), "prediction"),
        (json!({"verbosity": "low"}), "verbosity"),
        (json!({"prompt_cache_key": "k"}), "prompt_cache_key"),
        (json!({"prompt_cache_options": {}}), "prompt_cache_options"),
        (json!({"prompt_cache_retention": "24h"}), "prompt_cache_retention"),
        (json!({"safety_identifier": "u"}), "safety_identifier"),
        (json!({"moderation": {}}), "moderation"),
        (json!({"function_call": "auto"}), "function_call"),
        (json!({"service_tier": "flex"}), "service_tier"),
        (json!({"metadata": {"user_id": "u", "x": "y"}}), "metadata.x"),
        (json!({"stop": [" \n"]}), "stop"),
        (json!({"response_format": {"type": "json_object"}}), "response_format"),
    ] {
        let mapped = mapped("claude-opus-5", "2023-06-01", true, &fields);
        let changes: Vec<&str> = mapped.changes.iter().map(|(field, _)| &**field).collect();
        assert_eq!(changes, [told], "{fields}");
        assert!(!mapped.body.contains_key(told), "{fields}");
    }
}

#[test]
fn changed_messages_are_told() {
    let text = |role: &str, text: &str| json!({"role": role, "content": text});
    let call = |arguments: &str| json!({"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": arguments}}]});
    let result = json!({"role": "tool", "tool_call_id": "a", "content": "1"});
    for (messages, told) in [
        (json!([text("user", "a"), text("system", "b")]), "messages"),
        (json!([text("assistant", "a"), text("user", "b")]), "messages"),
        (json!([text("user", "a"), text("assistant", "b ")]), "messages"),
        (json!([text("user", "a"), call("{}"), text("user", "b")]), "messages.tool_calls"),
        (json!([text("user", "a"), call("[1]"), result]), "messages.tool_calls"),
        (json!([{"role": "user", "content": "a", "name": "n"}]), "messages.name"),
        (
            json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://h/i", "detail": "low"}}]}]),
            "image_url.detail",
        ),
    ] {
        let mapped = mapped("claude-opus-5", "2023-06-01", true, &json!({"messages": messages}));
        let changes: Vec<&str> = mapped.changes.iter().map(|(field, _)| &**field).collect();
        assert_eq!(changes, [told], "{messages}");
    }
    let cited =
        json!([{"role": "user", "content": [{"type": "text", "text": "a", "citations": []}]}]);
    for (version, told) in [("2023-06-01", 0), ("2026-10-21", 1)] {
        let mapped = mapped("claude-opus-5", version, true, &json!({"messages": cited}));
        assert_eq!(mapped.changes.len(), told, "{version}");
        let block = &mapped.body["messages"][0]["content"][0];
        assert_eq!(block.get("citations").is_some(), told == 0, "{version}");
    }
}
