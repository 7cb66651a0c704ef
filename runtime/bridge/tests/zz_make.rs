use partita_bridge::*;
#[test]
fn make() {
    let bundle = MimeBundle::text("3").with("text/html", "<b>3</b>");
    let variable = Variable { name: "v".into(), type_name: "Vec<i32>".into(), bytes: Some(12) };
    let panic = Panic { message: "no".into(), file: "cell 1".into(), line: 1, column: 2, frames: Vec::new() };
    let put = |name: &str, wire: Vec<u8>| std::fs::write(format!("tests/corpus/frames/{name}"), wire).unwrap();
    fn framed<T: serde::Serialize>(messages: &[T]) -> Vec<u8> {
        let mut wire = Vec::new();
        messages.iter().for_each(|message| write_frame(&mut wire, message).unwrap());
        wire
    }
    put("ready", framed(&[FromEvaluation::Ready { version: "1".into(), rustc: "rustc".into() }]));
    put("text", framed(&[FromEvaluation::Text { stream: Stream::Stdout, text: "é\n".into() }]));
    put("display", framed(&[FromEvaluation::Display { id: Some("a".into()), bundle: bundle.clone() }]));
    let events: Vec<partita_events::Event> = vec![partita_events::Event::WorkerJoined { worker: 1.into(), name: "w".into(), slots: 2, at: std::time::Duration::from_millis(5) },
      partita_events::Event::TaskFinished { job: 1.into(), stage: 0.into(), partition: 3.into(), attempt: 0, worker: 0.into(), metrics: Default::default(), at: std::time::Duration::from_millis(7) }];
    put("events", framed(&[FromEvaluation::Events { session: 1, events }]));
    put("done", framed(&[FromEvaluation::Done { outcome: CellOutcome::Finished(Some(bundle)), variables: vec![variable.clone(), variable], spent: Spent::default() },
        FromEvaluation::Done { outcome: CellOutcome::Panicked(panic), variables: Vec::new(), spent: Spent::default() }]));
    let comm = Comm { id: "c".into(), action: CommAction::Open { target: "t".into() }, data: "{}".into(), metadata: "{}".into(), buffers: vec![vec![1, 2], Vec::new()] };
    let cell = LoadCell { library: "/x".into(), symbol: "f".into(), forget: vec!["a".into()], viewer: Viewer::Page };
    put("run", framed(&[ToEvaluation::Run(cell)]));
    put("comm", framed(&[ToEvaluation::Comm(comm)]));
    put("input-interrupt", framed(&[ToEvaluation::Input(Err("no".into())), ToEvaluation::Interrupt]));
}
