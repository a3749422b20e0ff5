//! What is wrong with an installation is told at once, in full, and with its place.

use std::{fs, process::Output};

use crate::site::{Site, program};

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_configuration_with_three_faults_is_told_all_three_with_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("postbook.toml");
    let text = r#"[http]
listne = "127.0.0.1:0"

[engine]
lease = "soon"

[account.mail]
url = "smtp://reports:${env:POSTBOOK_TEST_IS_NOT_SET}@localhost"
"#;
    fs::write(&file, text).unwrap();

    let output = program().args(["check", "--config"]).arg(&file).output().unwrap();

    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for (line, word) in [(2, "listne"), (5, "lease"), (8, "POSTBOOK_TEST_IS_NOT_SET")] {
        let place = format!("{}:{line}", file.display());
        let told = said.lines().any(|it| it.contains(&place) && it.contains(word));
        assert!(told, "line {line} is not told: {said}");
    }
}

#[test]
fn what_no_command_knows_is_a_fault_in_usage() {
    for arguments in [&["up", "--bogus"][..], &["launch"], &["run"], &[]] {
        let output = program().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
    }
}

#[tokio::test]
async fn a_sound_installation_passes_its_check() {
    let site = Site::new("[account.outbox]\nurl = \"folder://OUTBOX\"\n").await;
    let output = site.run(&["check"]).await;
    let said = said(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for what in ["settings", "workflows", "database", "account outbox"] {
        assert!(said.contains(&format!("ok     {what}")), "{what}: {said}");
    }
}

#[tokio::test]
async fn a_workflow_with_a_loop_an_unknown_step_and_a_missing_template_is_told_all_of_them() {
    let site = Site::new("").await;
    let file = site.path("workflows/quick/workflow.toml");
    let text = fs::read_to_string(&file).unwrap();
    let broken = text
        .replacen("on_failure = \"record\"", "on_failure = \"render\"", 1)
        .replacen("on_failure = \"notify\"", "on_failure = \"tell\"", 1)
        .replacen("templates/notice.txt", "templates/missing.txt", 1);
    fs::write(&file, &broken).unwrap();
    let line = |part: &str| 1 + broken.lines().position(|line| line.contains(part)).unwrap();

    for command in ["check", "up"] {
        let output = site.run(&[command]).await;
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{command}: {said}");
        for (place, word) in [
            (line("[step.render]"), "`render` leads back to itself"),
            (line("\"tell\""), "there is no step `tell`"),
            (line("missing.txt"), "there is no file `templates/missing.txt`"),
        ] {
            let told =
                said.lines().any(|it| it.contains(&format!("quick/workflow.toml:{place}:")) && it.contains(word));
            assert!(told, "{command} does not tell line {place}, {word}: {said}");
        }
    }
}

#[tokio::test]
async fn a_database_without_hstore_names_the_extension_and_the_package() {
    let site = Site::new("").await;
    let database = site.database();
    let role = format!("{}_guest", database.name());
    database
        .administer(format!(
            "create role {role} login; revoke create, temporary on database {} from public",
            database.name()
        ))
        .await;
    let text = fs::read_to_string(site.config()).unwrap().replace(&database.url, &database.url_as(&role));
    fs::write(site.config(), text).unwrap();

    let (up, check) = (site.run(&["up"]).await, site.run(&["check"]).await);
    database.administer(format!("drop role {role}")).await;

    for output in [up, check] {
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for word in ["hstore", "postgresql-contrib", "create extension hstore", "permission denied"] {
            assert!(said.contains(word), "{word}: {said}");
        }
    }
}
