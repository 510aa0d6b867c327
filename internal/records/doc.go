// Package records reads files that hold a record after the other: CSV, TSV and JSON lines, as
// people's tools write them, gzipped or not. It holds one record at a time, and bounds it:
// a quote that is never closed does not fill the memory. Errors name the file, the line and
// the fix. It panics on nothing.
package records
