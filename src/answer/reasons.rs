//! The reasons why an answer ended, in OpenAI's words.

/// OpenAI's word for a reason; `None` where the reason is a failure.
pub(super) fn unified(raw: &str, calls: bool) -> Option<&str> {
    Some(match raw {
        "" | "stop" | "eos" | "end_turn" | "stop_sequence" | "STOP_SEQUENCE" | "COMPLETE"
        | "STOP" => {
            if calls {
                "tool_calls"
            } else {
                "stop"
            }
        }
        "length"
        | "max_tokens"
        | "MAX_TOKENS"
        | "model_length"
        | "max_output_tokens"
        | "model_context_window_exceeded" => "length",
        "tool_calls" | "tool_use" | "TOOL_CALL" | "function_call" => "tool_calls",
        "content_filter"
        | "refusal"
        | "content_filtered"
        | "guardrail_intervened"
        | "sensitive"
        | "blacklist"
        | "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => "content_filter",
        "error"
        | "ERROR"
        | "TIMEOUT"
        | "network_error"
        | "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "abort"
        | "insufficient_system_resource" => {
            return None;
        }
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_of_all_providers_are_openais() {
        for (raw, reason) in [
            ("STOP_SEQUENCE", Some("stop")),
            ("model_context_window_exceeded", Some("length")),
            ("function_call", Some("tool_calls")),
            ("guardrail_intervened", Some("content_filter")),
            ("PROHIBITED_CONTENT", Some("content_filter")),
            ("MALFORMED_FUNCTION_CALL", None),
            ("insufficient_system_resource", None),
            ("pause_turn", Some("pause_turn")),
        ] {
            assert_eq!(unified(raw, false), reason, "{raw}");
        }
        assert_eq!(unified("stop", true), Some("tool_calls"));
        assert_eq!(unified("length", true), Some("length"));
    }
}
