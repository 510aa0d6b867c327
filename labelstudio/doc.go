// Package labelstudio is the client of Label Studio's API: its requests, errors and
// retries, and the addresses that Label Studio accepts. What it reads was written by
// somebody else: every function returns an error where the bytes are wrong and none
// panics.
//
// What label configs, texts, results and request bodies say is read by the packages
// labelconfig, passage, regions and wire below this one.
package labelstudio
