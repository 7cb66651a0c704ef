//! A cell that asks the person for a line of input.

use jupyter_protocol::{
    ExecuteReply, ExecuteRequest, InputReply, InputRequest, JupyterMessage, JupyterMessageContent as Content,
    ReplyStatus,
};

use crate::client::{Kernel, within};

impl Kernel {
    /// Starts a cell that is allowed to ask.
    async fn start_asking(&mut self, code: &str) -> String {
        let request = ExecuteRequest { allow_stdin: true, ..ExecuteRequest::new(code.into()) };
        self.send(request).await
    }

    /// The next question.
    async fn question(&mut self) -> (InputRequest, JupyterMessage) {
        let message = within("input_request", self.stdin.read()).await.unwrap();
        let Content::InputRequest(question) = message.content.clone() else { panic!("{message:?}") };
        (question, message)
    }

    async fn answer(&mut self, line: &str, question: Option<&JupyterMessage>) {
        let reply = InputReply { value: line.to_owned(), ..InputReply::default() };
        let message = JupyterMessage::new(reply, question).with_zmq_identities(Vec::new());
        self.stdin.send(message).await.unwrap();
    }

    async fn ended(&mut self, id: &str) -> (ExecuteReply, Vec<Content>) {
        (self.execute_reply(id).await, self.published(id).await)
    }
}

fn value(outputs: &[Content]) -> Option<serde_json::Value> {
    outputs.iter().find_map(|content| match content {
        Content::ExecuteResult(result) => {
            Some(serde_json::to_value(&result.data).unwrap()["text/plain"].clone())
        }
        _ => None,
    })
}

#[tokio::test]
async fn a_cell_asks_whoever_ran_it_and_goes_on_with_the_line() {
    let mut kernel = Kernel::start().await;
    let code = "let name = input(\"Name? \")?; let secret = password(\"Password: \")?; (name, secret)";
    let id = kernel.start_asking(code).await;
    let (question, message) = kernel.question().await;
    assert_eq!((question.prompt.as_str(), question.password), ("Name? ", false));
    assert_eq!(message.parent_header.as_ref().unwrap().msg_id, id);
    kernel.answer("Ada Lovelace", Some(&message)).await;
    let (question, _) = kernel.question().await;
    assert_eq!((question.prompt.as_str(), question.password), ("Password: ", true));
    // jupyter_client's own clients do not name the question that they answer.
    kernel.answer("", None).await;
    let (reply, outputs) = kernel.ended(&id).await;
    assert_eq!(reply.status, ReplyStatus::Ok, "{:?}", reply.error);
    assert_eq!(value(&outputs).unwrap(), "(\"Ada Lovelace\", \"\")");
}

#[tokio::test]
async fn a_front_end_that_takes_no_input_is_not_asked_and_the_error_says_so() {
    let mut kernel = Kernel::start().await;
    let (reply, _) = kernel.run("let name = input(\"Name? \")?;").await;
    let error = reply.error.unwrap();
    assert!(error.evalue.contains("allow_stdin"), "{error:?}");
    assert_eq!(kernel.value("1 + 1").await, "2");
}

#[tokio::test]
async fn an_interrupt_ends_the_wait_and_a_late_answer_is_not_taken_for_another_one() {
    let mut kernel = Kernel::start().await;
    kernel.run("let kept = 1;").await;
    let id = kernel.start_asking("let line = input(\"first\")?;").await;
    let (_, first) = kernel.question().await;
    kernel.interrupt().await;
    let (reply, _) = kernel.ended(&id).await;
    assert_eq!(reply.error.unwrap().ename, "Interrupted");

    let id = kernel.start_asking("(kept, input(\"second\")?)").await;
    let (_, second) = kernel.question().await;
    kernel.answer("late", Some(&first)).await;
    kernel.answer("right", Some(&second)).await;
    let (_, outputs) = kernel.ended(&id).await;
    assert_eq!(value(&outputs).unwrap(), "(1, \"right\")");
}

#[tokio::test]
async fn standard_input_itself_is_at_its_end() {
    let mut kernel = Kernel::start().await;
    assert_eq!(kernel.value("std::io::stdin().read_line(&mut String::new())?").await, "0");
}
