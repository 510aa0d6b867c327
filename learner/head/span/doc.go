// Package span learns and predicts spans of text: it cuts a task into tokens, tags each
// token, and reads spans from the tags.
//
// A token is at the beginning of a span (B), inside of one (I) or outside of all (O)
// (Ramshaw & Marcus 1995, "Text chunking using transformation-based learning"). One
// model finds spans whatever their label, another says which label a span has: with few
// labels, what spans have in common is learned from all of them.
//
// The package knows no heads: package head makes one of it.
package span
