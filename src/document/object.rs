//! The file that fired the run, sent as it is.

use anyhow::Result;

use super::{Context, Failure, Rendered, Toolbox, broken, name, stored};

/// Takes the bytes of `file` in the context, which are in the store since the file was taken.
pub(super) async fn render(
    toolbox: &Toolbox,
    media_type: Option<&str>,
    context: &Context,
) -> Result<Result<Rendered, Failure>> {
    let said = |key: &str| context["file"][key].as_str();
    let (Some(file), Some(digest)) = (said("name"), said("digest")) else {
        let text = "it is the file that fires a run, and this run was fired by something else".to_owned();
        return Ok(Err(broken("no-file", text)));
    };
    if context["file"]["kept"] == false {
        let text = format!("the bytes of {file} were thrown away, as the settings or the batch say");
        return Ok(Err(broken("file-purged", text)));
    }
    let media_type = media_type.unwrap_or_else(|| name::media_type(file));
    stored(toolbox, file, media_type, digest).await.map(Ok)
}
