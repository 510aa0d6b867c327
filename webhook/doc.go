// Package webhook is where Label Studio reaches hone: the receiver of webhooks
// and the ML-backend protocol (/health, /setup, /predict, /train, /versions).
//
// Foreign JSON comes in, events go out. Label Studio gives a webhook one
// attempt of one second and never repeats it, so a webhook is answered as soon
// as its events are on disk, and nothing else is done for it. Whatever cannot
// be stored or understood is owed a reconcile, which a background loop asks for
// once storage works.
//
// # Who may call what
//
// Label Studio signs nothing. It sends a secret: Basic auth with the calls of the
// ML-backend protocol and with a webhook whose URL holds a user and a password, or
// a fixed header with a webhook. Package access checks it before a handler runs;
// every Label Studio route asks for it. What is particular here:
//
//   - The webhook that Label Studio makes by itself when a backend is added has
//     no headers, but the user info of the backend's URL. Where there is none its
//     events are refused, and package connect puts the secret into it.
//   - START_TRAINING arrives at /webhook, but comes from the ML-backend client:
//     never with the webhook's headers, with Basic auth if the backend has it.
//   - An event without the secret, of a project whose registration is not known to
//     carry it yet ([Options.Unregistered]), is a reason to reconcile, and nothing
//     more. All others lead to nothing.
//   - / and /health are open for container health checks. Only Label Studio itself,
//     known by its User-Agent, gets 401 there without the secret: it then tells the
//     user that the password is wrong, rather than that hone is broken. That is a
//     courtesy, not a protection.
//
// # What a user sees of an error
//
// Label Studio shows neither the body of an error answer nor a field of it,
// only the status line ("400 Client Error: REASON for url: ..."). Errors of the
// ML-backend protocol therefore carry their sentence as the reason phrase too.
package webhook
