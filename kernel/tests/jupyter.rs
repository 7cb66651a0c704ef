//! The real kernel over real sockets, driven by a front end written with the protocol crates.

#[path = "jupyter/client.rs"]
mod client;
#[path = "jupyter/comms.rs"]
mod comms;
#[path = "jupyter/input.rs"]
mod input;
#[path = "jupyter/widgets.rs"]
mod widgets;

use std::collections::HashMap;

use client::{Kernel, connection_file, kernel_command, streams, within};
use jupyter_protocol::{
    CommInfoRequest, CompleteRequest, ConnectionInfo, DebugReply, DebugRequest, ExecuteRequest,
    ExecutionState, HistoryEntry, HistoryRequest, IsCompleteReplyStatus, IsCompleteRequest, JupyterMessage,
    JupyterMessageContent as Content, KernelInfoRequest, ReplyStatus, ShutdownRequest, Transport,
    UnknownMessage,
};
use jupyter_zmq_client::{
    create_client_heartbeat_connection, create_client_shell_connection_with_identity,
    peer_identity_for_session,
};
use serde_json::json;
use zeromq::{SocketRecv, SocketSend, ZmqMessage};

/// Prints that it runs, and then runs until it is ended.
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
    let history = kernel.send(HistoryRequest::Tail { n: 1, output: false, raw: true }).await;

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
    assert!(matches!(kernel.reply(&history).await, Content::HistoryReply(_)));
    kernel.published(&history).await;
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
    // A loop in plain Rust checks for nothing. The kernel says so, and a second interrupt ends it.
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
    // The session's directory is created first; the evaluation process starts later.
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
    let unknown = kernel.send(UnknownMessage { msg_type: "no_such".into(), content: json!({}) }).await;
    assert!(kernel.published(&unknown).await.is_empty());

    let content = json!({"code": 1});
    let malformed = kernel.send(UnknownMessage { msg_type: "execute_request".into(), content }).await;
    let reply = kernel.execute_reply(&malformed).await;
    assert_eq!(reply.error.unwrap().ename, "InvalidRequest");
    assert!(kernel.published(&malformed).await.is_empty(), "it is busy and idle again");

    assert_eq!(kernel.value("1 + 1").await, "2");
}

#[tokio::test]
async fn ten_kernels_that_start_at_once_know_nothing_of_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let history = directory.path().join("history.jsonl").to_str().unwrap().to_owned();
    let environment = [("PARTITA_HISTORY", history)];
    let run = async |number: usize| {
        let mut kernel = Kernel::start_with(Transport::TCP, &environment).await;
        kernel.run(&format!("let x = {number}; fn f() -> i32 {{ {number} }}")).await;
        (kernel.value("x + f()").await, kernel)
    };
    let ran = futures::future::join_all((0..10).map(run)).await;
    for (number, (value, _kernel)) in ran.iter().enumerate() {
        assert_eq!(*value, (2 * number).to_string());
    }
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

    // The text before the cursor takes two units of UTF-16 but one position.
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
async fn requests_this_kernel_does_not_know_are_answered_with_an_error() {
    let mut kernel = Kernel::start().await;
    let request = |kind: &str| UnknownMessage { msg_type: format!("{kind}_request"), content: json!({}) };
    let id = kernel.send(request("no_such")).await;
    let Content::UnknownMessage(reply) = kernel.reply(&id).await else { panic!("another reply") };
    assert_eq!((reply.msg_type.as_str(), &reply.content["ename"]), ("no_such_reply", &json!("NotSupported")));

    kernel.control.send(request("create_subshell").into()).await.unwrap();
    let reply = within("create_subshell_reply", kernel.control.read()).await.unwrap();
    assert_eq!(serde_json::to_value(&reply.content).unwrap()["status"], "error");

    let initialize = json!({"type": "request", "seq": 7, "command": "initialize"});
    kernel.control.send(DebugRequest { content: initialize }.into()).await.unwrap();
    let reply = within("debug_reply", kernel.control.read()).await.unwrap();
    let Content::DebugReply(DebugReply { content }) = reply.content else { panic!("{reply:?}") };
    assert_eq!((&content["success"], &content["request_seq"]), (&json!(false), &json!(7)));
}

#[tokio::test]
async fn kernel_info_names_no_feature_that_is_not_there() {
    let mut kernel = Kernel::start().await;
    let id = kernel.send(KernelInfoRequest {}).await;
    let raw = within("reply", kernel.shell.socket.recv()).await.unwrap();
    let content: serde_json::Value = serde_json::from_slice(raw.iter().last().unwrap()).unwrap();
    assert_eq!((&content["supported_features"], &content["debugger"]), (&json!([]), &json!(false)));
    kernel.published(&id).await;
}

#[tokio::test]
async fn pages_come_with_the_reply_and_not_among_the_outputs() {
    let mut kernel = Kernel::start().await;
    let (reply, outputs) =
        kernel.run("partita::display::page(&Markdown(\"**long**\".into())); println!(\"short\");").await;
    let payload = serde_json::to_value(&reply.payload).unwrap();
    assert_eq!(payload[0]["source"], "page");
    assert_eq!(payload[0]["start"], 0);
    assert_eq!(payload[0]["data"]["text/markdown"], "**long**");
    assert_eq!(payload.as_array().unwrap().len(), 1);
    assert_eq!(streams(&outputs), [("stdout", "short\n".to_owned())]);
    assert!(kernel.run("1 + 1").await.0.payload.is_empty());
}

#[tokio::test]
async fn the_next_kernel_remembers_what_was_run_and_nothing_silent_or_unstored() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("history.jsonl").to_str().unwrap().to_owned();
    let environment = [("PARTITA_HISTORY", file)];
    let mut first = Kernel::start_with(Transport::TCP, &environment).await;
    first.run("let kept = 6 * 7;").await;
    first.execute(ExecuteRequest { silent: true, ..ExecuteRequest::new("let quiet = 1;".into()) }).await;
    first.execute(ExecuteRequest { store_history: false, ..ExecuteRequest::new("kept".into()) }).await;
    first.run("kept").await;
    let mut second = Kernel::start_with(Transport::TCP, &environment).await;
    second.run("let other = 1;").await;
    let id = second.send(HistoryRequest::Tail { n: 9, output: true, raw: true }).await;
    let Content::HistoryReply(reply) = second.reply(&id).await else { panic!("no history_reply") };
    let expected =
        json!([[1, 1, ["let kept = 6 * 7;", ""]], [1, 2, ["kept", "42"]], [2, 1, ["let other = 1;", ""]],]);
    assert_eq!(serde_json::to_value(reply.history).unwrap(), expected);
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
    // Signals and messages may overtake each other, so this cell may be the one that is interrupted.
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

#[tokio::test]
async fn completion_does_not_wait_for_the_cell_that_runs() {
    let mut kernel = Kernel::start().await;
    kernel.run("let distance = 3.5;").await;
    let cell = kernel.send(ExecuteRequest::new(ENDLESS.into())).await;
    kernel.publishes("the cell's text", |content| matches!(content, Content::StreamContent(_))).await;
    let id = kernel.send(CompleteRequest { code: "let d = dist".into(), cursor_pos: 12 }).await;
    // The cell's reply has not arrived.
    let Content::CompleteReply(reply) = kernel.reply(&id).await else { panic!("no complete_reply") };
    assert_eq!(reply.matches, ["distance"]);
    kernel.publishes("busy again", |content| client::state(content) == Some(ExecutionState::Idle)).await;
    let status = kernel.publishes("busy again", |content| client::state(content).is_some()).await;
    assert_eq!(client::parent_id(&status), Some(cell.as_str()));
}

#[tokio::test]
async fn a_front_end_without_the_shells_profile_finds_the_compiler_in_cargos_home() {
    let asked = std::process::Command::new("rustc").args(["--print", "sysroot"]).output().unwrap();
    let sysroot = String::from_utf8(asked.stdout).unwrap();
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("bin")).unwrap();
    let rustc = std::path::Path::new(sysroot.trim()).join("bin/rustc");
    std::os::unix::fs::symlink(rustc, home.path().join("bin/rustc")).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let directories = std::env::split_paths(&path).filter(|directory| !directory.join("rustc").exists());
    let path = std::env::join_paths(directories).unwrap().into_string().unwrap();
    let cargo_home = home.path().to_str().unwrap().to_owned();
    let mut kernel = Kernel::start_with(Transport::TCP, &[("PATH", path), ("CARGO_HOME", cargo_home)]).await;
    assert_eq!(kernel.value("1 + 1").await, "2");
}

#[tokio::test]
async fn commands_are_cells_with_rich_answers_and_errors_that_name_the_nearest() {
    let mut kernel = Kernel::start().await;
    kernel.run("let trips = df![\"zone\" => [\"a\", \"b\"]]?;").await;
    let (reply, outputs) = kernel.run(":vars").await;
    assert_eq!((reply.status, reply.execution_count.value()), (ReplyStatus::Ok, 2));
    let outputs = serde_json::to_string(&outputs).unwrap();
    assert!(outputs.contains("text/html") && outputs.contains("DataFrame"), "{outputs}");

    let table = kernel.value("%%sql\nSELECT zone\nFROM trips\nWHERE zone = 'b'").await;
    assert!(table.contains("shape: (1, 1)"), "{table}");

    let (reply, _) = kernel.run(":vasr").await;
    assert_eq!(reply.status, ReplyStatus::Error);
    let error = reply.error.unwrap();
    assert!(error.ename == "CommandError" && error.evalue.contains("`:vars`"), "{error:?}");

    let id = kernel.send(IsCompleteRequest { code: "%%sql\nSELECT 1".into() }).await;
    let Content::IsCompleteReply(reply) = kernel.reply(&id).await else { panic!("no is_complete_reply") };
    assert_eq!(reply.status, IsCompleteReplyStatus::Incomplete);
    kernel.published(&id).await;
    assert!(kernel.value(":quit").await.contains("front end"));
    assert_eq!(kernel.value("trips.height()").await, "2");
}
