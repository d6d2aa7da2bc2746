// Package chaos breaks clusters of the real program, under load, in every way
// that a machine, its disk or its network may break, and judges what becomes of
// the work by what the jobs' processes wrote down themselves.
//
// A scenario starts three or five nodes, each in a network namespace of its own,
// and a load: some twenty jobs that are due every second, of every kind, while
// clients apply, pause, resume, run and delete others. Then it does its damage,
// heals it, and waits for the cluster to recover. At the end the records are
// compared with what was due and with what the API says:
//
//   - every due instant has one outcome, and one that its job allows;
//   - what ran started once an attempt, not early, not past its deadline, and
//     no two attempts of a shard lived at a time unless the task is idempotent;
//   - what the API acknowledged is there, and nothing of a job started after the
//     answer to its pause or deletion;
//   - what clients were told who change and read the same jobs through all nodes is
//     what a single machine could have told them (package linear);
//   - replicas at equal indexes have equal hashes;
//   - within 10 s of the last healing the nodes agree on one leader and one
//     state, and fires are on time; no run stays active without a process.
//
// "go test" plays a selection once; with CHAOS=30m it plays the whole list, in an
// order drawn from a seed that is printed (CHAOS_SEED repeats it), again and again
// until the time is up.
//
// The tests need root, the command ip and TUN devices; what else a scenario needs
// (a loop device, mkfs.ext4, an older program) it names when it is left out.
package chaos
