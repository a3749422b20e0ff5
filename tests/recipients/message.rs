//! What the message of a daily status says: a summary of the account, words of the account's own, a link where there is
//! one.

use sqlx::PgPool;

use super::{
    business::{execute, register},
    letter, start,
};

/// What a workflow for repairs would say.
const MESSAGE: &str = r#"
message = { subject = "Repairs of {{ recipient.name }}", text = '''
{{ recipient.name }}, account {{ recipient.params.account }}: {{ recipient.params.open }} repairs are open.
{% if recipient.params.words %}{{ recipient.params.words }}
{% endif %}{% if recipient.params.link %}See {{ recipient.params.link }}
{% endif %}''' }
audience = { data = "crm", query = '''
    select name, email, id as account, balance as open, site as words,
           case when active then 'https://status.example.org/' || id end as link
      from crm.customer where name <> :out order by id''', params = { out = "Zoe" } }
"#;

#[sqlx::test]
async fn it_has_a_summary_and_words_and_a_link_only_where_there_are_any(db: PgPool) {
    let mut app = start(db).await;
    register(
        &mut app,
        "values (4711, 'Ann', 'ann@example.org', null, 'We are closed on Friday.', true, null::date, 3),
                (4712, 'Bob', 'bob@example.org', null, null, false, null::date, 0),
                (4713, 'Zoe', 'zoe@example.org', null, null, false, null::date, 0)",
    )
    .await;
    app.apply(&letter(MESSAGE)).await;

    app.run("letter").await;

    let ann = &app.mails_to("ann@example.org")[0];
    assert_eq!(ann.subject, "Repairs of Ann");
    assert!(ann.text.contains("Ann, account 4711: 3"), "{}", ann.text);
    assert!(ann.text.contains("We are closed on Friday.") && ann.text.contains("https://status.example.org/4711"));
    let bob = &app.mails_to("bob@example.org")[0];
    assert!(bob.text.contains("account 4712: 0"), "sent also when nothing is open: {}", bob.text);
    assert!(!bob.text.contains("See") && !bob.text.contains("closed"), "{}", bob.text);
    assert!(app.mails_to("zoe@example.org").is_empty());
}

#[sqlx::test]
async fn who_is_switched_off_is_left_out_from_the_next_run_on(db: PgPool) {
    let mut app = start(db).await;
    register(&mut app, "values (1, 'Ann', 'ann@example.org', null, '', true, null::date, 0)").await;
    app.apply(&letter(r#"audience = { data = "crm", query = "select name, email from crm.customer where active" }"#))
        .await;
    app.run("letter").await;
    execute(&app.db, "update crm.customer set active = false; insert into crm.customer (id, name, email) values (2, 'New', 'new@example.org')").await;

    let run = app.run("letter").await;

    assert!(app.transmissions(run).await.is_empty(), "who never asked for it gets nothing");
    assert_eq!(app.mails_to("ann@example.org").len(), 1);
}
