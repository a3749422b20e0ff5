//! Real calls, one on each line.

use postbook::{channel::Standing, reason::Scope};

use crate::{
    last_word, open, pages, parcel,
    peers::{FaxServer, Line},
    send,
};

#[tokio::test]
async fn three_pages_with_a_photograph_arrive_dot_by_dot_below_the_header_line() {
    let server = FaxServer::running();
    let (config, number) = server.line(Line::Good);
    let account = open(&config);
    let before = server.received();
    let sent = pages::three();
    let mut words = Vec::new();

    let asked = send(&account, &parcel(number, pages::tiff(&sent))).await;
    let (standing, transcript) = last_word(&account, &asked, |it| words.push(it.to_owned())).await;

    let Standing::Delivered(proof) = &standing else { panic!("{standing:?}\n{transcript}") };
    assert!(proof.text.starts_with("3 of 3 pages received by ttyIAX"), "{proof:?}");
    assert!(transcript.contains("SEND recv MCF (message confirmation)"), "{transcript}");
    assert!(words.iter().any(|it| it == "sending page 2 of 3"), "{words:?}");
    let new = server.received().into_iter().filter(|it| !before.contains(it));
    let [received] = &pages::received(new, &sent[2])[..] else { panic!("one fax with the last page that was sent") };
    assert_eq!(received.len(), 3);
    for (number, (sent, received)) in (1..).zip(sent.iter().zip(received)) {
        assert_eq!(received.lines(), sent.lines());
        assert!(received.below_header() == sent.below_header(), "a page differs");
        assert!(received.has_header() && !sent.has_header());
        let header = ["Example Ltd +1 312 555 0001".to_owned(), format!("page {number} of 3")];
        assert_eq!(received.read_header(), header);
    }
}

#[tokio::test]
async fn a_number_that_is_engaged_or_where_nobody_lifts_may_be_called_again() {
    let engaged = ended(Line::Engaged, "Busy signal detected");
    let silent = ended(Line::Silent, "No answer from remote");
    assert_eq!(tokio::join!(engaged, silent), ("fax-busy".to_owned(), "fax-no-answer".to_owned()));
}

#[tokio::test]
async fn a_number_where_somebody_lifts_is_no_fax_machine_now() {
    let code = ended(Line::Lifted, "No carrier detected").await;
    assert_eq!(code, "hylafax-2");
}

/// The code of the reason for which a call comes to nothing.
async fn ended(line: Line, words: &str) -> String {
    let (config, number) = FaxServer::running().line(line);
    let account = open(&config);

    let asked = send(&account, &parcel(number, pages::tiff(&pages::three()[..1]))).await;
    let (standing, transcript) = last_word(&account, &asked, |_| ()).await;

    let Standing::Deferred { reason, .. } = standing else { panic!("{standing:?}\n{transcript}") };
    let scope = if line == Line::Lifted { Scope::Contact } else { Scope::Attempt };
    assert_eq!(reason.scope, scope, "{reason:?}");
    assert!(reason.text.contains(words) && !reason.text.contains("too many attempts"), "{reason:?}");
    assert!(transcript.contains("DIAL "), "{transcript}");
    reason.code
}

#[tokio::test]
async fn a_line_that_is_cut_while_a_page_is_sent_leaves_the_fax_to_be_sent_again() {
    let server = FaxServer::running();
    let (config, number) = server.line(Line::Cuttable);
    let account = open(&config);
    let mut cut = None;

    let asked = send(&account, &parcel(number, pages::tiff(&pages::three()))).await;
    let (standing, transcript) = last_word(&account, &asked, |words| {
        if cut.is_none() && words.starts_with("sending page") {
            cut = Some(server.cut());
        }
    })
    .await;

    assert!(cut.is_some(), "the call ended before it was cut: {transcript}");
    let Standing::Deferred { reason, .. } = standing else { panic!("{standing:?}\n{transcript}") };
    assert_eq!(reason.scope, Scope::Attempt, "{reason:?}");
    assert!(transcript.contains("SEND begin page"), "{transcript}");
}
