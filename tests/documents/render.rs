//! Rendering processes and what they survive.

use std::time::{Duration, Instant};

use postbook::document::{self, Document, Failure, renderer::Renderer};
use serde_json::json;

use crate::workbench::{LIMIT, context, files, no_database, patient_renderer, renderer, renderer_of_one, toolbox};

const GOOD: &str = "#let data = json(\"/data.json\")\nOrders since #data.params.since for #data.user.company";

const ENDLESS: &str =
    "#let f(n) = { let x = 0; for a in range(n) { for b in range(n) { x += calc.sin(b) } }; x }\n#f(1000000)";

const HUNGRY: &str =
    "#let f(n) = { let all = (); for i in range(n) { all.push(\"x\" * 1000000 + str(i)) }; all.len() }\n#f(100000)";

const PANICKING: &str = "#panic(\"enough\")";

async fn outcome(renderer: &Renderer, source: &str) -> Result<i32, (String, String)> {
    let rendered = renderer
        .render("main.typ", &files(&[("main.typ", source)]), &context(), LIMIT)
        .await
        .expect("no fault of ours");
    rendered.map(|(_, pages)| pages).map_err(|failure: Failure| {
        assert!(!failure.again, "the template is to blame");
        (failure.reason.code, failure.reason.text)
    })
}

#[tokio::test]
async fn the_same_template_and_data_give_the_same_bytes_in_every_process() {
    let files = files(&[("main.typ", GOOD)]);
    let (one, other) = (renderer(), renderer());
    let render = async |renderer: &Renderer| {
        renderer.render("main.typ", &files, &context(), LIMIT).await.expect("no fault").expect("a PDF").0
    };
    assert_eq!(render(&one).await, render(&other).await);
    assert_eq!(render(&one).await, render(&one).await, "warm or not");
}

#[tokio::test]
async fn a_template_that_never_ends_is_stopped_and_the_next_one_renders() {
    let renderer = renderer();
    let started = Instant::now();
    let endless = outcome(&renderer, ENDLESS).await;
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    assert_eq!(
        endless,
        Err((
            "render-timeout".to_owned(),
            "it was not done after 3 seconds; is there a loop that never ends?".to_owned()
        ))
    );
    assert_eq!(outcome(&renderer, GOOD).await, Ok(1));
}

#[tokio::test]
async fn a_template_that_eats_memory_takes_down_only_its_own_process() {
    let renderer = patient_renderer();
    let (eaten, rendered) = tokio::join!(outcome(&renderer, HUNGRY), outcome(&renderer, GOOD));
    assert_eq!(eaten, Err(("render-memory".to_owned(), "it needs more memory than the 256 MB it may have".to_owned())));
    assert_eq!(rendered, Ok(1));
}

/// Megabytes held by this process and by those it started, where the system tells.
fn held() -> Option<u64> {
    let status = |process: &str| std::fs::read_to_string(format!("/proc/{process}/status")).ok();
    let field = |status: &str, name: &str| -> Option<u64> {
        status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
    };
    let me = std::process::id();
    let own = field(&status("self")?, "VmRSS:")?;
    let all = std::fs::read_dir("/proc").ok()?.filter_map(|entry| status(entry.ok()?.file_name().to_str()?));
    let children = all.filter(|it| field(it, "PPid:") == Some(me.into())).filter_map(|it| field(&it, "VmRSS:"));
    Some((own + children.sum::<u64>()) / 1024)
}

#[tokio::test]
async fn memory_returns_to_where_it_was_after_templates_that_loop_panic_and_eat_it() {
    let renderer = renderer_of_one();
    assert_eq!(outcome(&renderer, GOOD).await, Ok(1));
    let Some(before) = held() else { return };

    for (bad, code) in [(HUNGRY, "render-memory"), (ENDLESS, "render-timeout"), (PANICKING, "template-error")] {
        assert_eq!(outcome(&renderer, bad).await.expect_err("it fails").0, code);
    }

    assert_eq!(outcome(&renderer, GOOD).await, Ok(1));
    let after = held().expect("still told");
    assert!(after < before + 32, "{before} MB before, {after} MB after");
}

#[tokio::test]
async fn a_template_reads_no_file_of_the_machine() {
    let (code, text) = outcome(&renderer(), "a\n#read(\"/etc/passwd\")").await.expect_err("not there");
    assert_eq!(
        (code.as_str(), text.as_str()),
        ("template-error", "main.typ:2:7: file not found (searched at etc/passwd)")
    );
}

#[tokio::test]
async fn a_workflow_s_files_are_told_apart_by_their_content() {
    let renderer = renderer();
    for n in 1..=12 {
        let source = "#for i in range(int(read(\"pages.txt\"))) { pagebreak() }";
        let files = files(&[("main.typ", source), ("pages.txt", &(n - 1).to_string())]);
        let rendered = renderer.render("main.typ", &files, &context(), LIMIT).await.expect("no fault");
        assert_eq!(rendered.expect("a PDF").1, n);
    }
}

#[tokio::test]
async fn a_render_that_is_given_up_leaves_room_for_others() {
    let renderer = renderer();
    let endless = "#for a in range(100000) { for b in range(100000) { } }";
    for _ in 0..3 {
        let limited = tokio::time::timeout(Duration::from_millis(300), outcome(&renderer, endless)).await;
        assert!(limited.is_err(), "it is given up before its own limit");
    }
    assert_eq!(outcome(&renderer, GOOD).await, Ok(1));
}

#[tokio::test]
async fn a_template_document_is_named_after_its_title() {
    let document: Document = serde_json::from_value(json!({
        "name": "orders", "title": "Open orders: März", "kind": "template", "template": "main.typ",
    }))
    .expect("a document");
    let toolbox = toolbox(no_database(), &Default::default(), &[]);
    let rendered = document::render(&toolbox, &document, &files(&[("main.typ", GOOD)]), &context(), LIMIT)
        .await
        .expect("no fault")
        .expect("a PDF");
    assert_eq!(
        (rendered.file.as_str(), rendered.media_type.as_str(), rendered.pages),
        ("Open orders- März.pdf", "application/pdf", Some(1))
    );
}

#[tokio::test]
async fn a_broken_pdf_is_counted_elsewhere_and_refused_here() {
    let renderer = renderer();
    let (pdf, _) = renderer
        .render("main.typ", &files(&[("main.typ", "one #pagebreak() two")]), &context(), LIMIT)
        .await
        .expect("no fault")
        .expect("a PDF");
    assert_eq!(renderer.count_pages(&pdf).await.expect("no fault"), Ok(2));
    let half = renderer.count_pages(&pdf.slice(..pdf.len() / 2)).await.expect("no fault").expect_err("it is cut off");
    assert!(half.reason.text.starts_with("it is a PDF that is cut off after"), "{half:?}");
}
