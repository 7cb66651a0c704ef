//! Displays that are updated, over the real kernel's sockets.

// Other tests use the rest.
#[allow(dead_code)]
#[path = "jupyter/client.rs"]
mod client;

use client::Kernel;
use jupyter_protocol::{ExecuteRequest, ExecutionState, JupyterMessageContent as Content, ReplyStatus};
use serde_json::Value;

/// A message about displays: `new` or `update` with id and text, or `clear`.
#[derive(Debug, Clone, PartialEq)]
enum Shown {
    New(String, String),
    Update(String, String),
    Clear,
}

fn shown(outputs: &[Content]) -> Vec<Shown> {
    let parts = |content: &Content| {
        let message = serde_json::to_value(content).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&message["transient"]["display_id"]), text(&message["data"]["text/plain"]))
    };
    let one = |content: &Content| match content {
        Content::DisplayData(_) => {
            let (id, text) = parts(content);
            Some(Shown::New(id, text))
        }
        Content::UpdateDisplayData(_) => {
            let (id, text) = parts(content);
            Some(Shown::Update(id, text))
        }
        Content::ClearOutput(_) => Some(Shown::Clear),
        _ => None,
    };
    outputs.iter().filter_map(one).collect()
}

/// The output of a cell that must succeed.
async fn run(kernel: &mut Kernel, code: &str) -> Vec<Shown> {
    let (reply, outputs) = kernel.run(code).await;
    assert_eq!(reply.status, ReplyStatus::Ok, "{outputs:?}");
    assert!(!outputs.iter().any(|output| matches!(output, Content::ExecuteResult(_))), "{outputs:?}");
    shown(&outputs)
}

#[tokio::test]
async fn a_display_is_replaced_by_its_handle_in_the_same_and_in_later_cells() {
    let mut kernel = Kernel::start().await;
    let first =
        run(&mut kernel, "let shown = display(&Text(\"one\".into())); shown.update(&Text(\"two\".into()));")
            .await;
    let [Shown::New(id, one), Shown::Update(updated, two)] = &first[..] else { panic!("{first:?}") };
    assert_eq!((one.as_str(), two.as_str()), ("one", "two"));
    assert!(!id.is_empty() && id == updated);
    let later = run(&mut kernel, "shown.update(&Text(\"three\".into()));").await;
    assert_eq!(later, [Shown::Update(id.clone(), "three".into())]);

    // As the last expression of a cell it shows its value once.
    let last = run(&mut kernel, "display!(vec![1, 2])").await;
    assert!(matches!(&last[..], [Shown::New(other, text)] if other != id && text == "[1, 2]"), "{last:?}");

    let named = run(
        &mut kernel,
        "display_with_id(\"mine\", &Text(\"a\".into())); clear_output(true); update_display(\"mine\", &Text(\"b\".into()));",
    )
    .await;
    let mine = |text: &str| ("mine".to_owned(), text.to_owned());
    let ((id, a), (_, b)) = (mine("a"), mine("b"));
    assert_eq!(named, [Shown::New(id.clone(), a), Shown::Clear, Shown::Update(id, b)]);
}

#[tokio::test]
async fn progress_is_one_display_whose_last_state_is_the_truth() {
    let mut kernel = Kernel::start().await;
    let code = "for _ in progress(0..8).with_message(\"reading\") { \
                std::thread::sleep(std::time::Duration::from_millis(40)); }";
    let all = run(&mut kernel, code).await;
    let [Shown::New(id, _), updates @ ..] = &all[..] else { panic!("{all:?}") };
    assert!(updates.iter().all(|update| matches!(update, Shown::Update(other, _) if other == id)), "{all:?}");
    let Some(Shown::Update(_, last)) = updates.last() else { panic!("{all:?}") };
    assert!(last.starts_with("reading ████") && last.contains("done: 8/8"), "{last}");

    let (reply, outputs) = kernel.run("for i in progress(0..4) { if i == 1 { Err(\"no\")? } }").await;
    assert_eq!(reply.status, ReplyStatus::Error);
    let all = shown(&outputs);
    let Some(Shown::Update(_, last)) = all.last() else { panic!("{all:?}") };
    assert!(last.contains("stopped at 25 % (1/4)"), "{last}");
}

#[tokio::test]
async fn an_interrupt_ends_a_loop_with_progress_and_keeps_the_variables() {
    let mut kernel = Kernel::start().await;
    run(&mut kernel, "let kept = 42;").await;
    let code = "for _ in progress(0..) { std::thread::sleep(std::time::Duration::from_millis(5)); }";
    let id = kernel.send(ExecuteRequest::new(code.into())).await;
    while !matches!(kernel.next_published(&id).await, Content::UpdateDisplayData(_)) {}
    kernel.interrupt().await;
    let reply = kernel.execute_reply(&id).await;
    let error = reply.error.unwrap();
    assert_eq!(error.ename, "Interrupted", "{error:?}");
    assert!(error.evalue.contains("interrupted at "), "{error:?}");
    while client::state(&kernel.next_published(&id).await) != Some(ExecutionState::Idle) {}
    assert_eq!(kernel.value("kept").await, "42");
}
