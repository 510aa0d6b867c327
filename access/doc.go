// Package access says who may call hone, and with what.
//
// There are three kinds of callers:
//
//   - Label Studio calls /webhook and the ML-backend protocol. It carries the
//     secret: HTTP Basic authentication with the user hone, or, with a webhook,
//     a header. Label Studio shows both to each of its users, so the secret
//     opens nothing else.
//   - People and programs who look after hone call /api and /metrics with a token
//     of their own: Authorization: Bearer TOKEN. One token does everything,
//     another one only reads.
//   - Anybody may call the routes of [Public]: they say nothing but that hone is
//     there.
//
// The secret and the token are made at the first start and lie in the data
// directory, one line in a file that only its owner reads. A third file holds the
// key by which hone recognises itself behind an address ([Identity]).
//
// A hone that listens on a loopback address only needs neither secret nor token
// unless one is set, as long as a request looks like one of this machine's user:
// a proxy or a web page on the same machine is somebody else (see [Gate]).
package access
