//! Files and environments as people write them, right and wrong.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::*;

/// A folder of its own for one test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("postbook-config-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn environment(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The faults in `text`, as `LINE: KEY: TEXT`.
fn faults(test: &str, text: &str) -> Vec<String> {
    let folder = Folder::new(test);
    let file = folder.write("postbook.toml", text);
    let faults = Config::from_layers(Some(&file), &BTreeMap::new()).unwrap_err();
    let place = format!("{}:", file.display());
    faults.iter().map(|fault| fault.to_string().replace(&place, "")).collect()
}

#[test]
fn the_defaults_alone_are_enough() {
    let config = Config::from_layers(None, &BTreeMap::new()).unwrap();
    assert!(config.database.url.is_none());
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.engine.lease, Duration::from_secs(60));
    assert_eq!(config.accounts().count(), 0);
}

#[test]
fn the_example_can_be_used_as_it_is() {
    let secrets = environment(&[("POSTBOOK_DB_PASSWORD", "one"), ("POSTBOOK_MAIL_PASSWORD", "two")]);
    let config = Config::from_layers(Some(Path::new("config/example.toml")), &secrets).unwrap();
    assert!(config.database.url.unwrap().expose().contains(":one@"));
}

#[test]
fn three_faults_are_reported_at_once_with_their_lines() {
    let text = "[http]\nlisten = \"nowhere\"\n\n[engine]\nleese = \"60s\"\ndeaths = \"three\"\n";
    assert_eq!(
        faults("three", text),
        [
            "2: http.listen: invalid socket address syntax",
            "5: engine.leese: unknown field `leese`, expected one of `lease`, `sweep`, `deaths`, `grace`, `workflows`, `steps`, \
             `fetchers`",
            "6: engine.deaths: invalid type: string \"three\", expected u16",
        ]
    );
}

#[test]
fn accounts_and_secrets_are_checked_like_everything_else() {
    let text = "[account.mail]\nfrom = \"a@example.org\"\n[account.out]\nurl = \"folder:///out\"\nsettle = \"guess\"\n\
                timeout = \"long\"\n[secret.reports]\npassword = 4711\n";
    assert_eq!(
        faults("accounts", text),
        [
            "1: account.mail: missing field `url`",
            "5: account.out.settle: unknown variant `guess`, expected one of `repeat`, `hold`, `ask`",
            "6: account.out.timeout: invalid value: string \"long\", expected a duration",
            "7: secret.reports: a secret has `user` and `password`, or `token`, or `header` and `value`",
        ]
    );
}

#[test]
fn broken_syntax_is_reported_beside_wrong_values() {
    let text = "[http]\nlisten = nowhere\nbody_limit = \"much\"\n[blobs\nurl = \"\"\n";
    let faults = faults("syntax", text);
    let lines: Vec<_> = faults.iter().filter_map(|fault| fault.split(':').next()).collect();
    assert!(lines.contains(&"2") && lines.contains(&"3") && lines.contains(&"4"), "{faults:#?}");
}

#[test]
fn the_environment_wins_over_the_file() {
    let folder = Folder::new("environment");
    let file = folder.write("postbook.toml", "[database]\npool = 5\n[http]\nlisten = \"127.0.0.1:1\"\n");
    let variables = environment(&[
        ("POSTBOOK__DATABASE__POOL", "7"),
        ("POSTBOOK__REMOTE__ALLOW", "[\"10.0.0.0/8\"]"),
        ("POSTBOOK__ACCOUNT__MAIL__URL", "smtp://localhost"),
        ("POSTBOOK__SECRET__REPORTS__TOKEN", "4711"),
    ]);
    let config = Config::from_layers(Some(&file), &variables).unwrap();
    assert_eq!(config.database.pool.get(), 7);
    assert_eq!(config.http.listen.port(), 1);
    assert_eq!(config.remote.allow, ["10.0.0.0/8"]);
    assert_eq!(config.accounts().next().unwrap().0, "mail");
    assert_eq!(config.secret["reports"], Credential::Token { token: "4711".to_owned() });
}

#[test]
fn a_fault_in_the_environment_names_the_variable() {
    let variables = environment(&[("POSTBOOK__DATABASE__POOL", "0"), ("POSTBOOK__DATABASE__SIZE", "1")]);
    let faults = Config::from_layers(None, &variables).unwrap_err();
    let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        faults,
        [
            "environment POSTBOOK__DATABASE__POOL: database.pool: invalid value: integer `0`, expected a nonzero u32",
            "environment POSTBOOK__DATABASE__SIZE: database.size: unknown field `size`, expected one of `url`, `pool`, \
             `binaries`",
        ]
    );
}

#[test]
fn secrets_come_from_the_environment_and_from_files() {
    let folder = Folder::new("secrets");
    folder.write("password", "pass}word\n");
    let file = folder.write(
        "postbook.toml",
        "[secret.a]\npassword = \"${file:password}\"\nuser = \"user ${env:KEY}!\"\n[secret.b]\ntoken = \"${env:GONE}\"\n\
         [http]\nlisten = \"${file:gone}\"\n",
    );
    let faults = Config::from_layers(Some(&file), &environment(&[("KEY", "k")])).unwrap_err();
    let keys: Vec<_> = faults.iter().map(|fault| (fault.at.line.unwrap(), fault.key.as_str())).collect();
    assert_eq!(keys, [(5, "secret.b.token"), (7, "http.listen")]);

    let variables = environment(&[("KEY", "k"), ("GONE", "here"), ("POSTBOOK__HTTP__LISTEN", "127.0.0.1:1")]);
    let config = Config::from_layers(Some(&file), &variables).unwrap();
    let filled = Credential::Password { user: "user k!".to_owned(), password: "pass}word".to_owned() };
    assert_eq!(config.secret["a"], filled);
    assert!(!format!("{config:?}").contains("here"));
}

#[test]
fn accounts_keep_the_order_of_the_file() {
    let folder = Folder::new("order");
    let text = "[account.zebra]\nurl = \"smtp://a\"\n[account.ant]\nurl = \"smtp://b\"\n";
    let config = Config::from_layers(Some(&folder.write("postbook.toml", text)), &BTreeMap::new()).unwrap();
    assert_eq!(config.accounts().map(|(name, _)| name).collect::<Vec<_>>(), ["zebra", "ant"]);
}

#[test]
fn a_file_that_is_not_there_is_a_fault() {
    let faults = Config::from_layers(Some(Path::new("/nowhere/postbook.toml")), &BTreeMap::new()).unwrap_err();
    assert!(faults.to_string().contains("/nowhere/postbook.toml: No such file"), "{faults}");
}
