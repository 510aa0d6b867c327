// Package page is the web page of a running hone: what each project has gained, what it asks next
// and why, and what can be done about it. It is made of the answers of package api and asks no
// other part. A view is one file and one template.
//
// All open pages share one frame, which is made when somebody looks, once a second at most
// ([frames]). What changes between frames is sent as server-sent events (WHATWG HTML, section 9.2),
// each a part of a page. Addresses are relative, so that the page works below any prefix.
//
// Nothing here changes anything in answer to a GET. Each form carries a token that only a page of
// hone's own address can read; the gate (package access) says who may see and who may change.
package page
