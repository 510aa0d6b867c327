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
// Label Studio signs nothing. It can send a fixed header with a webhook, which
// serves as a shared secret, and Basic auth with the calls of the ML-backend
// protocol. Neither covers everything:
//
//   - The webhook that Label Studio makes by itself when a backend is added has
//     no headers. With a secret configured its events are refused with 401, and
//     [Options.OnUnsigned] is told, so that the header can be put into it.
//   - START_TRAINING arrives at /webhook, but comes from the ML-backend client:
//     never with the webhook's headers, with Basic auth if the backend has it.
//     It is therefore guarded like /train: by Basic auth when that is
//     configured, open otherwise. All it can do then is ask for a retrain.
//   - Valid Basic auth is taken in place of the secret, because a webhook whose
//     URL holds a user and a password sends them.
//   - / and /health stay open for container health checks. Only Label Studio
//     itself, known by its User-Agent, gets 401 there for wrong credentials:
//     it then tells the user that the password is wrong, rather than that hone
//     is broken. That is a courtesy, not a protection.
//
// # What a user sees of an error
//
// Label Studio shows neither the body of an error answer nor a field of it,
// only the status line ("400 Client Error: REASON for url: ..."). Errors of the
// ML-backend protocol therefore carry their sentence as the reason phrase too.
package webhook
