//! Comms between cells and a front end's code, in both directions.

use jupyter_protocol::{
    CommClose, CommId, CommInfoRequest, CommMsg, CommOpen, ExecuteRequest, ExecutionState, JupyterMessage,
    JupyterMessageContent as Content, ReplyStatus,
};
use serde_json::{Value, json};

use crate::client::{Kernel, parent_id, state};

impl Kernel {
    /// Sends data on a comm.
    async fn comm_msg(&mut self, id: &CommId, data: Value, buffers: &[&[u8]]) -> String {
        let Value::Object(data) = data else { panic!("an object") };
        let message = JupyterMessage::new(CommMsg { comm_id: id.clone(), data }, None)
            .with_buffers(buffers.iter().map(|buffer| buffer.to_vec().into()).collect());
        let request = message.header.msg_id.clone();
        self.shell.send(message).await.unwrap();
        request
    }

    /// Runs a cell that opens a comm and returns the opening message.
    async fn opens(&mut self, code: &str) -> (CommOpen, JupyterMessage) {
        let id = self.send(ExecuteRequest::new(code.into())).await;
        let message = self
            .publishes("comm_open", |content| {
                assert!(!matches!(content, Content::ErrorOutput(_)), "{content:?}");
                matches!(content, Content::CommOpen(_))
            })
            .await;
        assert_eq!(self.execute_reply(&id).await.status, ReplyStatus::Ok);
        let Content::CommOpen(open) = message.content.clone() else { unreachable!() };
        (open, message)
    }

    async fn said(&mut self) -> (CommMsg, JupyterMessage) {
        let message = self.publishes("comm_msg", |content| matches!(content, Content::CommMsg(_))).await;
        let Content::CommMsg(said) = message.content.clone() else { unreachable!() };
        (said, message)
    }

    /// The next status published, and the request that it is about.
    async fn status(&mut self) -> (String, ExecutionState) {
        let message = self.publishes("status", |content| state(content).is_some()).await;
        (parent_id(&message).unwrap().to_owned(), state(&message.content).unwrap())
    }

    async fn open_comms(&mut self) -> usize {
        let id = self.send(CommInfoRequest { target_name: None }).await;
        let Content::CommInfoReply(info) = self.reply(&id).await else { panic!("no comm_info_reply") };
        info.comms.len()
    }

    async fn closed(&mut self, id: &CommId) {
        self.publishes(
            "comm_close",
            |content| matches!(content, Content::CommClose(close) if close.comm_id == *id),
        )
        .await;
    }
}

#[tokio::test]
async fn a_comm_that_a_cell_opens_carries_json_and_buffers_both_ways_until_it_is_closed() {
    let mut kernel = Kernel::start().await;
    let (open, message) = kernel
        .opens(
            "use partita::comm::{Comm, CommMessage, json};
             let opening = CommMessage::from(json!({\"value\": 1}))
                 .with_metadata(json!({\"version\": \"2.1.0\"})).with_buffers(vec![vec![0, 255]]);
             let comm = Comm::open(\"test.widget\", opening)?;
             let echo = comm.clone();
             comm.on_message(move |message| echo.send(message).unwrap());
             comm.on_close(|message| println!(\"closed: {}\", message.data[\"why\"]));",
        )
        .await;
    assert_eq!((open.target_name.as_str(), &open.data["value"]), ("test.widget", &json!(1)));
    assert_eq!(message.metadata, json!({"version": "2.1.0"}));
    assert_eq!(message.buffers, [vec![0, 255]]);
    assert_eq!(kernel.open_comms().await, 1);

    kernel.comm_msg(&open.comm_id, json!({"text": "grün"}), &[b"\0\x01", b""]).await;
    let (said, message) = kernel.said().await;
    assert_eq!((said.comm_id, &said.data["text"]), (open.comm_id.clone(), &json!("grün")));
    assert_eq!(message.buffers, [vec![0, 1], vec![]]);

    let Value::Object(data) = json!({"why": "enough"}) else { unreachable!() };
    kernel.send(CommClose { comm_id: open.comm_id, data }).await;
    kernel
        .publishes("the callback's text", |content| {
            matches!(content, Content::StreamContent(stream) if stream.text == "closed: \"enough\"\n")
        })
        .await;
    assert_eq!(kernel.open_comms().await, 0);
    let (reply, _) = kernel.run("comm.send(json!({}))?;").await;
    assert!(reply.error.unwrap().evalue.contains("closed"));
}

#[tokio::test]
async fn a_target_that_a_cell_registers_answers_the_front_end_and_an_unknown_one_is_closed() {
    let mut kernel = Kernel::start().await;
    let code = "use partita::comm::{Comm, json};
        Comm::target(\"adder\", |comm, opened| {
            comm.send(json!({\"sum\": opened.data[\"a\"].as_i64().unwrap() + 1})).unwrap();
        });";
    assert_eq!(kernel.run(code).await.0.status, ReplyStatus::Ok);
    let open = |id: &str, target: &str| {
        let Value::Object(data) = json!({"a": 41}) else { unreachable!() };
        CommOpen { comm_id: CommId(id.into()), target_name: target.into(), data, target_module: None }
    };
    kernel.send(open("1", "adder")).await;
    assert_eq!(kernel.said().await.0.data["sum"], 42);
    kernel.send(open("2", "no.such.target")).await;
    kernel.closed(&CommId("2".into())).await;
    // A comm that panics while it opens is closed as well, and the process survives.
    let Value::Object(data) = json!({"a": "text"}) else { unreachable!() };
    kernel.send(CommOpen { data, ..open("3", "adder") }).await;
    kernel.closed(&CommId("3".into())).await;
    assert_eq!(kernel.open_comms().await, 1);
}

#[tokio::test]
async fn a_message_is_delivered_while_a_cell_runs_and_the_kernel_still_shows_as_busy() {
    let mut kernel = Kernel::start().await;
    let (open, _) = kernel
        .opens(
            "use partita::comm::{Comm, json};
             let (sender, receiver) = std::sync::mpsc::channel();
             let comm = Comm::open(\"test\", json!({}))?;
             comm.on_message(move |message| sender.send(message.data[\"n\"].as_i64().unwrap()).unwrap());",
        )
        .await;
    // The cell needs two messages, so it still runs when the first one has been handled.
    let code = "println!(\"waiting\"); receiver.recv()? + receiver.recv()?";
    let cell = kernel.send(ExecuteRequest::new(code.into())).await;
    kernel.publishes("the cell's text", |content| matches!(content, Content::StreamContent(_))).await;
    let first = kernel.comm_msg(&open.comm_id, json!({"n": 7}), &[]).await;
    while kernel.status().await != (first.clone(), ExecutionState::Idle) {}
    // Front ends take the last status as the kernel's.
    assert_eq!(kernel.status().await, (cell.clone(), ExecutionState::Busy));
    let second = kernel.comm_msg(&open.comm_id, json!({"n": 8}), &[]).await;
    // The second message ends the cell, which may become idle before the message or after it.
    let mut handled = vec![cell.clone(), second];
    while !handled.is_empty() {
        let (parent, state) = kernel.status().await;
        assert!(handled.contains(&parent), "{state:?} for a request that is idle already");
        if state == ExecutionState::Idle {
            handled.retain(|request| *request != parent);
        }
    }
    assert_eq!(kernel.execute_reply(&cell).await.status, ReplyStatus::Ok);
}

#[tokio::test]
async fn a_callback_that_panics_is_reported_and_is_called_for_the_next_message() {
    let mut kernel = Kernel::start().await;
    let (open, _) = kernel
        .opens(
            "use partita::comm::{Comm, json};
             let comm = Comm::open(\"test\", json!({}))?;
             let half = comm.clone();
             comm.on_message(move |message| {
                 let n = message.data[\"n\"].as_i64().expect(\"a number\");
                 half.send(json!({\"half\": n / 2})).unwrap();
             });",
        )
        .await;
    kernel.comm_msg(&open.comm_id, json!({}), &[]).await;
    kernel
        .publishes(
            "the panic",
            |content| matches!(content, Content::StreamContent(stream) if stream.text.contains("a number")),
        )
        .await;
    kernel.comm_msg(&open.comm_id, json!({"n": 8}), &[]).await;
    assert_eq!(kernel.said().await.0.data["half"], 4);
}

#[tokio::test]
async fn messages_that_come_before_the_first_callback_wait_for_it() {
    let mut kernel = Kernel::start().await;
    let code = "use partita::comm::{Comm, json}; let comm = Comm::open(\"test\", json!({}))?;";
    let (open, _) = kernel.opens(code).await;
    kernel.comm_msg(&open.comm_id, json!({"n": 1}), &[]).await;
    let code = "let echo = comm.clone(); comm.on_message(move |message| echo.send(message).unwrap());";
    let id = kernel.send(ExecuteRequest::new(code.into())).await;
    // The cell may wait or the message may come later, and the answer may come before or after the cell's
    // end.
    assert_eq!(kernel.said().await.0.data["n"], 1);
    assert_eq!(kernel.execute_reply(&id).await.status, ReplyStatus::Ok);
}

#[tokio::test]
async fn comms_end_with_the_process_that_had_them() {
    let mut kernel = Kernel::start().await;
    let code = "let comm = partita::comm::Comm::open(\"test\", ())?;";
    let (open, _) = kernel.opens(code).await;
    let id = kernel.send(ExecuteRequest::new("std::process::abort()".into())).await;
    kernel.closed(&open.comm_id).await;
    assert_eq!(kernel.execute_reply(&id).await.status, ReplyStatus::Error);
    assert_eq!(kernel.open_comms().await, 0);
    kernel.comm_msg(&open.comm_id, json!({}), &[]).await;
    assert_eq!(kernel.open_comms().await, 0, "a message to a comm that is gone is survived");
}

#[tokio::test]
async fn what_follows_an_opening_at_once_is_heard_however_slow_the_target_is() {
    let mut kernel = Kernel::start().await;
    let code = "use partita::comm::Comm;
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let wait = std::sync::Mutex::new(wait);
        Comm::target(\"slow\", move |comm, _| {
            let _ = wait.lock().unwrap().recv();
            let echo = comm.clone();
            comm.on_message(move |message| echo.send(message).unwrap());
        });";
    assert_eq!(kernel.run(code).await.0.status, ReplyStatus::Ok);
    let id = CommId("1".into());
    let data = serde_json::Map::new();
    kernel
        .send(CommOpen { comm_id: id.clone(), target_name: "slow".into(), data, target_module: None })
        .await;
    kernel.comm_msg(&id, json!({"n": 5}), &[]).await;
    // Both have arrived when this cell runs.
    let cell = kernel.send(ExecuteRequest::new("drop(go);".into())).await;
    assert_eq!(kernel.said().await.0.data["n"], 5);
    assert_eq!(kernel.execute_reply(&cell).await.status, ReplyStatus::Ok);
}

#[tokio::test]
async fn what_is_no_json_object_is_refused_where_it_is_sent() {
    let mut kernel = Kernel::start().await;
    let (reply, _) = kernel.run("partita::comm::Comm::open(\"test\", partita::comm::json!([1]))?;").await;
    assert!(reply.error.unwrap().evalue.contains("JSON object"));
    assert_eq!(kernel.open_comms().await, 0);
}

#[tokio::test]
async fn messages_that_a_slow_callback_leaves_no_room_for_are_lost_and_that_is_said() {
    let mut kernel = Kernel::start().await;
    let (open, _) = kernel
        .opens(
            "let (go, wait) = std::sync::mpsc::channel::<()>();
             let comm = partita::comm::Comm::open(\"slow\", ())?;
             comm.on_message(move |_| drop(wait.recv()));",
        )
        .await;
    for _ in 0..1200 {
        kernel.comm_msg(&open.comm_id, json!({}), &[]).await;
    }
    // The bridge is not blocked meanwhile, and the callback returns from now on.
    let id = kernel.send(ExecuteRequest::new("drop(go);".into())).await;
    kernel
        .publishes(
            "the notice",
            |content| matches!(content, Content::StreamContent(stream) if stream.text.contains("were lost")),
        )
        .await;
    assert_eq!(kernel.execute_reply(&id).await.status, ReplyStatus::Ok);
}
