//! The real kernel over real sockets, driven by a front end written with the protocol crates.

#[path = "jupyter/client.rs"]
mod client;

use std::collections::HashMap;

use client::{Kernel, connection_file, kernel_command, streams, within};
use jupyter_protocol::{
    CommId, CommInfoRequest, CommOpen, CompleteRequest, ConnectionInfo, ExecuteRequest, HistoryEntry,
    HistoryRequest, IsCompleteReplyStatus, IsCompleteRequest, JupyterMessage,
    JupyterMessageContent as Content, KernelInfoRequest, ReplyStatus, ShutdownRequest, Transport,
    UnknownMessage,
};
use jupyter_zmq_client::{
    create_client_heartbeat_connection, create_client_shell_connection_with_identity,
    peer_identity_for_session,
};
use serde_json::json;
use zeromq::{SocketSend, ZmqMessage};

/// Says that it runs, and then runs until it is ended.
const ENDLESS: &str =
    r#"println!("running"); loop { std::thread::sleep(std::time::Duration::from_millis(5)); }"#;

#[tokio::test]
async fn a_cells_value_variables_and_count_reach_the_front_end() {
    let mut kernel = Kernel::start().await;
    let (reply, outputs) = kernel.run("let x = 20;").await;
    assert_eq!((reply.status, reply.execution_count.value()), (ReplyStatus::Ok, 1));
    assert!(matches!(&outputs[..], [Content::ExecuteInput(input)] if input.code == "let x = 20;"));
    assert_eq!(kernel.value("x + 22").await, "42");
    let (reply, _) = kernel.run("").await;
    assert_eq!(reply.status, ReplyStatus::Ok);
    assert_eq!(kernel.run("let y = 1;").await.0.execution_count.value(), 3);
}

#[tokio::test]
async fn text_of_both_streams_arrives_in_the_order_it_was_printed() {
    let mut kernel = Kernel::start().await;
    let code = r#"println!("a"); println!("b"); eprintln!("c"); println!("d");"#;
    let (_, outputs) = kernel.run(code).await;
    let expected = [("stdout", "a\nb\n"), ("stderr", "c\n"), ("stdout", "d\n")];
    assert_eq!(streams(&outputs), expected.map(|(name, text)| (name, text.to_owned())));
}

#[tokio::test]
async fn a_flood_of_lines_arrives_whole_in_bounded_messages() {
    let mut kernel = Kernel::start().await;
    let code = r#"for i in 0..20000 { println!("{i}"); } println!("{}", "é".repeat(100_001));"#;
    let (_, outputs) = kernel.run(code).await;
    let lines: String = (0..20000).map(|i| format!("{i}\n")).collect();
    assert_eq!(streams(&outputs), [("stdout", format!("{lines}{}\n", "é".repeat(100_001)))]);
    let mut messages = 0;
    for content in &outputs {
        if let Content::StreamContent(stream) = content {
            assert!(stream.text.len() <= 64 << 10);
            messages += 1;
        }
    }
    assert!(messages < 2000, "{messages} messages for 20000 lines");
}

#[tokio::test]
async fn text_of_a_thread_that_outlives_its_cell_still_arrives() {
    let mut kernel = Kernel::start().await;
    let code = r#"std::thread::spawn(|| {
        std::thread::sleep(std::time::Duration::from_millis(300));
        println!("late");
    });"#;
    let id = kernel.send(ExecuteRequest::new(code.into())).await;
    loop {
        match kernel.next_published(&id).await {
            Content::StreamContent(stream) => break assert_eq!(stream.text, "late\n"),
            Content::ErrorOutput(error) => panic!("{error:?}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_failed_cell_shows_its_error_and_aborts_the_cells_that_waited_behind_it() {
    let mut kernel = Kernel::start().await;
    let first = kernel.send(ExecuteRequest::new("let x: i32 = \"text\";".into())).await;
    let second = kernel.send(ExecuteRequest::new("println!(\"never\");".into())).await;
    let info = kernel.send(KernelInfoRequest {}).await;

    let reply = kernel.execute_reply(&first).await;
    assert_eq!(reply.status, ReplyStatus::Error);
    let error = reply.error.unwrap();
    let outputs = kernel.published(&first).await;
    let [Content::ExecuteInput(_), Content::ErrorOutput(shown)] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!((&shown.ename, &shown.evalue), (&error.ename, &error.evalue));
    assert!(!shown.traceback.is_empty());

    assert_eq!(kernel.execute_reply(&second).await.status, ReplyStatus::Aborted);
    assert!(kernel.published(&second).await.is_empty());
    // Only cells are aborted.
    assert!(matches!(kernel.reply(&info).await, Content::KernelInfoReply(_)));
    kernel.published(&info).await;
    assert_eq!(kernel.value("1 + 1").await, "2");
}

#[tokio::test]
async fn without_stop_on_error_the_next_cell_runs() {
    let mut kernel = Kernel::start().await;
    let failing = ExecuteRequest { stop_on_error: false, ..ExecuteRequest::new("nonsense".into()) };
    let first = kernel.send(failing).await;
    let second = kernel.send(ExecuteRequest::new("1 + 1".into())).await;
    assert_eq!(kernel.execute_reply(&first).await.status, ReplyStatus::Error);
    assert_eq!(kernel.execute_reply(&second).await.status, ReplyStatus::Ok);
}

#[tokio::test]
async fn a_silent_cell_shows_nothing_and_counts_for_nothing() {
    let mut kernel = Kernel::start().await;
    let silent =
        ExecuteRequest { silent: true, ..ExecuteRequest::new("println!(\"a\"); let hidden = 7; 8".into()) };
    let (reply, outputs) = kernel.execute(silent).await;
    assert_eq!(reply.status, ReplyStatus::Ok);
    assert!(outputs.is_empty(), "{outputs:?}");
    let (reply, _) = kernel.run("hidden").await;
    assert_eq!((reply.status, reply.execution_count.value()), (ReplyStatus::Ok, 1));
}

#[tokio::test]
async fn user_expressions_are_evaluated_each_for_itself() {
    let mut kernel = Kernel::start().await;
    let expressions = [("good", "x + 1"), ("bad", "nonsense")];
    let request = ExecuteRequest {
        user_expressions: Some(expressions.map(|(name, code)| (name.to_owned(), code.to_owned())).into()),
        ..ExecuteRequest::new("let x = 1;".into())
    };
    let (reply, _) = kernel.execute(request).await;
    let results: HashMap<_, _> = reply.user_expressions.unwrap();
    let results = serde_json::to_value(results).unwrap();
    assert_eq!(results["good"]["data"]["text/plain"], "2");
    assert_eq!(results["bad"]["status"], "error");
}

#[tokio::test]
async fn an_interrupt_reaches_a_running_cell_and_the_kernel_runs_the_next_one() {
    let mut kernel = Kernel::start().await;
    let id = kernel.send(ExecuteRequest::new(ENDLESS.into())).await;
    while !matches!(kernel.next_published(&id).await, Content::StreamContent(_)) {}
    kernel.interrupt().await;
    // A loop of plain Rust watches for nothing. The kernel says so, and then a second one ends it.
    while !matches!(kernel.next_published(&id).await, Content::StreamContent(_)) {}
    kernel.interrupt().await;
    assert_eq!(kernel.execute_reply(&id).await.status, ReplyStatus::Error);
    let id = kernel.send(ExecuteRequest::new("1 + 1".into())).await;
    assert_eq!(kernel.execute_reply(&id).await.status, ReplyStatus::Ok);
}

#[tokio::test]
async fn control_answers_while_a_cell_runs_and_shutdown_ends_the_process() {
    let mut kernel = Kernel::start().await;
    let id = kernel.send(ExecuteRequest::new(ENDLESS.into())).await;
    while !matches!(kernel.next_published(&id).await, Content::StreamContent(_)) {}
    kernel.control.send(KernelInfoRequest {}.into()).await.unwrap();
    let reply = within("kernel_info_reply", kernel.control.read()).await.unwrap();
    assert!(matches!(reply.content, Content::KernelInfoReply(_)), "{reply:?}");
    kernel.control.send(ShutdownRequest { restart: true }.into()).await.unwrap();
    let reply = within("shutdown_reply", kernel.control.read()).await.unwrap();
    assert!(matches!(&reply.content, Content::ShutdownReply(reply) if reply.restart));
    assert!(kernel.exited().await.success());
}

#[tokio::test]
async fn shutdown_on_the_shell_socket_ends_the_process_too() {
    let mut kernel = Kernel::start().await;
    let id = kernel.send(ShutdownRequest { restart: false }).await;
    assert!(matches!(kernel.reply(&id).await, Content::ShutdownReply(_)));
    assert!(kernel.exited().await.success());
}

#[tokio::test]
async fn a_kernel_that_leaves_while_it_starts_leaves_no_files() {
    let directory = tempfile::tempdir().unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let sessions = || {
        let entries = std::fs::read_dir(temporary.path()).unwrap();
        entries.filter(|entry| entry.as_ref().unwrap().path().join("sysroot").exists()).count()
    };
    let mut command = kernel_command();
    command.arg("-f").arg(connection_file(&directory).await).env("TMPDIR", temporary.path());
    let mut kernel = command.kill_on_drop(true).spawn().unwrap();
    // The session's directory is made first; the evaluation process comes up only later.
    within("the session's directory", async {
        while sessions() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let pid = libc::pid_t::try_from(kernel.id().unwrap()).unwrap();
    // SAFETY: the process is our child and has not been waited for.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
    assert!(within("exit", kernel.wait()).await.unwrap().success());
    assert_eq!(sessions(), 0);
}

#[tokio::test]
async fn what_cannot_be_trusted_or_understood_is_survived() {
    let mut kernel = Kernel::start().await;
    let stranger = ConnectionInfo { key: "another key".into(), ..kernel.info.clone() };
    let session = "stranger".to_owned();
    let identity = peer_identity_for_session(&session).unwrap();
    let mut forged =
        create_client_shell_connection_with_identity(&stranger, &session, identity).await.unwrap();
    forged.send(ExecuteRequest::new("std::process::exit(1)".into()).into()).await.unwrap();
    forged.send(ShutdownRequest { restart: false }.into()).await.unwrap();
    for frames in [&["garbage"][..], &["<IDS|MSG>"], &["<IDS|MSG>", "zz", "{", "", "", ""]] {
        let mut message = ZmqMessage::from(frames[0].to_owned());
        for frame in &frames[1..] {
            message.push_back(frame.as_bytes().to_vec().into());
        }
        kernel.shell.socket.send(message.clone()).await.unwrap();
        kernel.control.socket.send(message).await.unwrap();
    }
    let unknown =
        kernel.send(UnknownMessage { msg_type: "no_such_request".into(), content: json!({}) }).await;
    assert!(kernel.published(&unknown).await.is_empty());

    let content = json!({"code": 1});
    let malformed = kernel.send(UnknownMessage { msg_type: "execute_request".into(), content }).await;
    let reply = kernel.execute_reply(&malformed).await;
    assert_eq!(reply.error.unwrap().ename, "InvalidRequest");
    assert!(kernel.published(&malformed).await.is_empty(), "it is busy and idle again");

    assert_eq!(kernel.value("1 + 1").await, "2");
}

#[tokio::test]
async fn two_kernels_at_once_know_nothing_of_each_other() {
    let (mut one, mut two) = tokio::join!(Kernel::start(), Kernel::start());
    tokio::join!(one.run("let x = 1;"), two.run("let x = 2;"));
    let (x, y) = tokio::join!(one.value("x"), two.value("x"));
    assert_eq!((x.as_str(), y.as_str()), ("1", "2"));
}

#[tokio::test]
async fn requests_about_code_and_session_are_answered() {
    let mut kernel = Kernel::start().await;
    kernel.run("let distance = 3.5;").await;

    let id = kernel.send(CompleteRequest { code: "let d = dist".into(), cursor_pos: 12 }).await;
    let Content::CompleteReply(reply) = kernel.reply(&id).await else { panic!("no complete_reply") };
    assert_eq!((reply.matches[0].as_str(), reply.cursor_start, reply.cursor_end), ("distance", 8, 12));
    // JupyterLab reads this.
    let described = &reply.metadata["_jupyter_types_experimental"][0];
    assert_eq!((&described["type"], &described["signature"]), (&json!("variable"), &json!("distance: f64")));

    // What stands before the cursor takes two units of UTF-16, and one position.
    let id = kernel.send(CompleteRequest { code: "\u{1f680} + dist + 1".into(), cursor_pos: 8 }).await;
    let Content::CompleteReply(reply) = kernel.reply(&id).await else { panic!("no complete_reply") };
    assert_eq!((reply.matches[0].as_str(), reply.cursor_start, reply.cursor_end), ("distance", 4, 8));

    let id = kernel.send(IsCompleteRequest { code: "fn f() {".into() }).await;
    let Content::IsCompleteReply(reply) = kernel.reply(&id).await else { panic!("no is_complete_reply") };
    assert_eq!(reply.status, IsCompleteReplyStatus::Incomplete);

    let id = kernel.send(HistoryRequest::Tail { n: 5, output: false, raw: true }).await;
    let Content::HistoryReply(reply) = kernel.reply(&id).await else { panic!("no history_reply") };
    let [HistoryEntry::Input(_, 1, input)] = &reply.history[..] else { panic!("{:?}", reply.history) };
    assert_eq!(input, "let distance = 3.5;");

    let id = kernel.send(CommInfoRequest { target_name: None }).await;
    assert!(matches!(kernel.reply(&id).await, Content::CommInfoReply(reply) if reply.comms.is_empty()));
}

#[tokio::test]
async fn a_comm_nobody_here_knows_is_closed() {
    let mut kernel = Kernel::start().await;
    let comm_id = CommId("1".into());
    let open =
        CommOpen { comm_id: comm_id.clone(), target_name: "no.such.target".into(), ..CommOpen::default() };
    let id = kernel.send(open).await;
    let published = kernel.published(&id).await;
    assert!(matches!(&published[..], [Content::CommClose(close)] if close.comm_id == comm_id));
}

#[tokio::test]
async fn heartbeats_are_answered_over_ipc_as_well() {
    let mut kernel = Kernel::start_with(Transport::IPC, &[]).await;
    let mut heartbeat = create_client_heartbeat_connection(&kernel.info).await.unwrap();
    within("heartbeat", heartbeat.single_heartbeat()).await.unwrap();
    let id = kernel.send(KernelInfoRequest {}).await;
    let Content::KernelInfoReply(info) = kernel.reply(&id).await else { panic!("no kernel_info_reply") };
    assert_eq!(info.language_info.name, "rust");
}

#[tokio::test]
async fn messages_carry_the_kernels_session_and_protocol_version() {
    let mut kernel = Kernel::start().await;
    kernel.send(KernelInfoRequest {}).await;
    let reply: JupyterMessage = within("reply", kernel.shell.read()).await.unwrap();
    assert_eq!(reply.header.version, "5.4");
    assert_ne!(reply.header.session, kernel.session);
}

#[tokio::test]
async fn the_kernel_ends_when_its_parent_is_gone() {
    let mut parent = tokio::process::Command::new("sleep").arg("1000").kill_on_drop(true).spawn().unwrap();
    let pid = parent.id().unwrap().to_string();
    let mut kernel = Kernel::start_with(Transport::TCP, &[("JPY_PARENT_PID", pid)]).await;
    let id = kernel.send(KernelInfoRequest {}).await;
    kernel.reply(&id).await;
    parent.kill().await.unwrap();
    assert!(kernel.exited().await.success());
}

#[tokio::test]
async fn sigint_leaves_the_kernel_running_and_sigterm_ends_it_in_order() {
    let mut kernel = Kernel::start().await;
    kernel.signal(libc::SIGINT);
    // Signals and messages overtake each other: this cell may be the one that is interrupted.
    kernel.run("1 + 1").await;
    assert_eq!(kernel.value("1 + 1").await, "2");
    kernel.signal(libc::SIGTERM);
    assert!(kernel.exited().await.success());
}

#[tokio::test]
async fn an_unusable_connection_file_ends_the_kernel_with_file_reason_and_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("kernel-7.json");
    std::fs::write(&file, r#"{"ip": "127.0.0.1"}"#).unwrap();
    let output = within("exit", kernel_command().arg("-f").arg(&file).output()).await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    for part in ["kernel-7.json", "transport", "start the kernel from"] {
        assert!(message.contains(part), "{part} not in: {message}");
    }
}
