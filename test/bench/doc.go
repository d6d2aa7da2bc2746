// Package bench measures whole clusters of real agents against a floor taken in
// the same run, since machines are noisy: how often this machine can fork and
// exec a trivial static program from one Go program.
//
// `make bench` runs it at full size (ROTA_BENCH=full) and prints a table. In the
// ordinary tests it runs at a size that only shows that it works. Nothing here
// passes or fails by a time.
package bench
