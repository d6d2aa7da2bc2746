// Package bench measures whole clusters of real agents against a floor taken in
// the same run, since machines are noisy: how often this machine can fork and
// exec a trivial static program (and /bin/true, which is dynamic as a rule) from one
// Go program, how often it can sync a page, how long a round trip takes on loopback.
// Jobs run the program that their floor was taken with.
//
// `make bench` runs it at full size (ROTA_BENCH=full) and closes with a table of
// every figure beside its bar and its floor. In the ordinary tests it runs at a size
// that only shows that it works. Nothing here passes or fails by a time.
package bench
