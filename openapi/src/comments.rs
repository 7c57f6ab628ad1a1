//! The comments of the proto files.

use prost_reflect::{FileDescriptor, MethodDescriptor};

/// The comment above the declaration at a path of a file, as paragraphs; empty if there is none.
pub(crate) fn of(file: &FileDescriptor, path: &[i32]) -> String {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let location = info.into_iter().flat_map(|info| &info.location).find(|location| location.path == path);
    location.map(|location| paragraphs(location.leading_comments())).unwrap_or_default()
}

/// The first paragraph of an RPC's comment, and the others.
pub(crate) fn of_method(method: &MethodDescriptor) -> (String, String) {
    let comment = of(&method.parent_file(), method.path());
    let (summary, rest) = comment.split_once("\n\n").unwrap_or((&comment, ""));
    (summary.trim_end_matches('.').to_owned(), rest.to_owned())
}

/// Joins the lines of each paragraph.
fn paragraphs(comment: &str) -> String {
    let lines: Vec<_> = comment.lines().map(str::trim).collect();
    lines
        .split(|line| line.is_empty())
        .filter(|lines| !lines.is_empty())
        .map(|lines| lines.join(" "))
        .collect::<Vec<_>>()
        .join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_and_paragraphs_kept() {
        assert_eq!(paragraphs(" One\n two.\n\n Three.\n"), "One two.\n\nThree.");
        assert_eq!(paragraphs(""), "");
    }
}
