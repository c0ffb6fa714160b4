//! flood|paced URL: reads an answer by async-openai.

use std::error::Error;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::types::chat::{
    ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequestArgs,
};
use futures::StreamExt;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};

fn now() -> i64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap();
    time.tv_sec() * 1_000_000_000 + time.tv_nsec()
}

/// Wall, CPU and waits so far.
fn used() -> (i64, i64, i64) {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let cpu = usage.user_time().num_nanoseconds() + usage.system_time().num_nanoseconds();
    (now(), cpu, usage.voluntary_context_switches())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let paced = args[1] == "paced";
    let (mut text, mut chunks, mut delays, mut finished) = (0, 0, Vec::new(), false);
    let start = used();
    let client =
        Client::with_config(OpenAIConfig::new().with_api_key("key").with_api_base(&args[2]));
    let request = CreateChatCompletionRequestArgs::default()
        .model("m")
        .messages([ChatCompletionRequestUserMessageArgs::default().content("Hello").build()?.into()])
        .build()?;
    let mut stream = client.chat().create_stream(request).await?;
    while let Some(answer) = stream.next().await {
        chunks += 1;
        for choice in answer?.choices {
            if let Some(content) = choice.delta.content {
                text += content.len();
                if paced && !content.is_empty() {
                    delays.push(now() - content.parse::<i64>()?);
                }
            }
            finished |= choice.finish_reason.is_some();
        }
    }
    let end = used();
    if !finished {
        return Err("the answer stopped before its end".into());
    }
    print!(
        "wall={} cpu={} switches={} text={text} chunks={chunks}",
        end.0 - start.0,
        end.1 - start.1,
        end.2 - start.2
    );
    delays.sort_unstable();
    if !delays.is_empty() {
        print!(" p50={} p99={}", delays[delays.len() / 2], delays[delays.len() * 99 / 100]);
    }
    println!();
    Ok(())
}
