use super::*;
use crate::reason::Scope;

fn report(headers: &str, blocks: &str, original: &str) -> Vec<u8> {
    format!(
        "From: MAILER-DAEMON@mx.test.local\r\nTo: bounces+7-12-5a@test.local\r\nMessage-ID: <dsn-1@mx>\r\n\
         Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n{headers}\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\nMIME-Version: 1.0\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nI am sorry.\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\n{blocks}\r\n\
         --b\r\nContent-Type: message/rfc822\r\n\r\n{original}\r\n--b--\r\n"
    )
    .into_bytes()
}

fn block(action: &str, status: &str, diagnostic: &str) -> String {
    format!(
        "Reporting-MTA: dns; mx.test.local\r\nOriginal-Envelope-Id: 7-12-5a\r\n\r\n\
         Final-Recipient: rfc822; ann@test.local\r\nAction: {action}\r\nStatus: {status}\r\n\
         Remote-MTA: dns; mx.far.example\r\nDiagnostic-Code: smtp; {diagnostic}\r\n\
         Last-Attempt-Date: Sun, 22 Nov 2026 09:59:00 +0000\r\n"
    )
}

const ORIGINAL: &str = "From: a@b.example\r\nMessage-ID:\r\n <7-12-5a@test.local>\r\nSubject: x\r\n\r\nbody";

fn one(action: &str, status: &str, diagnostic: &str) -> Bounce {
    let found = read(&report("", &block(action, status, diagnostic), ORIGINAL));
    assert_eq!(found.len(), 1);
    found.into_iter().next().unwrap()
}

#[test]
fn a_report_says_whom_it_is_about_when_and_why() {
    let bounce = one("failed", "5.1.1", "550 5.1.1 No such user");
    assert_eq!(bounce.keys, ["7-12-5a"], "the same key in three places");
    assert_eq!(bounce.id.as_deref(), Some("dsn-1@mx 0"));
    assert_eq!(bounce.at.unwrap().to_rfc3339(), "2026-11-22T09:59:00+00:00");
    assert_eq!(bounce.suppress.as_deref(), Some("bounced: 5.1.1 550 5.1.1 No such user"));
    let Standing::Failed(reason) = bounce.standing else { panic!("{:?}", bounce.standing) };
    assert_eq!(reason.text, "it came back: mx.far.example says 550 5.1.1 No such user");
}

#[test]
fn only_addresses_that_do_not_exist_are_suppressed() {
    for (status, diagnostic, scope, code, hard) in [
        ("5.1.1", "550 unknown", Scope::Contact, "bounce-5.1.1", true),
        ("5.1.10", "550 null MX", Scope::Contact, "bounce-5.1.10", true),
        ("5.2.1", "550 disabled", Scope::Contact, "bounce-5.2.1", true),
        ("5.2.2", "552 full", Scope::Contact, "bounce-5.2.2", false),
        ("5.3.4", "552 too big", Scope::Document, "bounce-5.3.4", false),
        ("5.7.1", "550 policy", Scope::Account, "bounce-5.7.1", false),
        ("5.7.515", "550 not authenticated", Scope::Account, "bounce-5.7.515", false),
        ("4.4.1", "450 timed out", Scope::Attempt, "bounce-4.4.1", false),
        ("5.0.0", "550 5.1.1 vague outside, exact inside", Scope::Contact, "bounce-5.1.1", true),
        ("5.0.0", "550 vague everywhere", Scope::Contact, "bounce-5.0.0", false),
        ("nonsense", "who knows", Scope::Attempt, "bounce-5.0.0", false),
    ] {
        let bounce = one("failed", status, diagnostic);
        let Standing::Failed(reason) = bounce.standing else { panic!("{status}") };
        assert_eq!((reason.scope, reason.code.as_str()), (scope, code), "{status} {diagnostic}");
        assert_eq!(bounce.suppress.is_some(), hard, "{status} {diagnostic}");
    }
}

#[test]
fn what_is_only_delayed_or_relayed_is_on_its_way() {
    for (action, expected) in [
        ("delayed", "delayed: mx.far.example says 450 busy"),
        ("relayed", "relayed by mx.far.example, which says no more of it"),
    ] {
        assert_eq!(one(action, "4.0.0", "450 busy").standing, Standing::Underway(expected.to_owned()));
    }
    assert!(matches!(one("delivered", "2.0.0", "250 ok").standing, Standing::Delivered(_)));
}

#[test]
fn a_key_is_found_wherever_it_is_left() {
    let blocks = block("failed", "5.1.1", "550 no").replace("Original-Envelope-Id: 7-12-5a\r\n", "");
    assert_eq!(read(&report("", &blocks, "Subject: nothing\r\n\r\n"))[0].keys, ["7-12-5a"], "in the address");
    let mail = String::from_utf8(report("", &blocks, ORIGINAL)).unwrap().replace("bounces+7-12-5a@", "bounces@");
    assert_eq!(read(mail.as_bytes())[0].keys, ["7-12-5a"], "in the mail that it brings along");
    let headers = mail.replace("Content-Type: message/rfc822", "Content-Type: text/rfc822-headers");
    assert_eq!(read(headers.as_bytes())[0].keys, ["7-12-5a"], "in its headers alone");
}

#[test]
fn a_complaint_suppresses_and_changes_nothing_else() {
    let mail = b"From: fbl@far.example\r\nMessage-ID: <c1@far>\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n\
        --b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nVersion: 1\r\n\r\n\
        --b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <7-12-5a@test.local>\r\n\r\nx\r\n--b--\r\n";
    let found = read(mail);
    assert_eq!(found[0].keys, ["7-12-5a"]);
    assert!(matches!(&found[0].standing, Standing::Underway(text) if text.contains("complained")));
    assert_eq!(found[0].suppress.as_deref(), Some("the recipient complained (abuse)"));
}

#[test]
fn what_is_no_report_gives_nothing() {
    for mail in [&b""[..], b"Subject: out of office\r\n\r\nback on monday", b"\xff\xfe\x00", ORIGINAL.as_bytes()] {
        assert!(read(mail).is_empty());
    }
    let empty = report("", "", ORIGINAL);
    assert!(read(&empty).is_empty());
}
