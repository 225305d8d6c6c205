import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import test from "node:test";
import {
  type CastProcess,
  type MachineTold,
  type MemberTold,
  startMachines,
  startMember,
  until,
} from "../support/fleet_cast.ts";
import { redisMissing as skip, startRedis } from "../support/redis_server.ts";
import { findPort, pause } from "../support/services.ts";

const TIMES = { leaseMs: 1_200, goneAfterMs: 3_600, timeoutMs: 400 };

/** Ends processes together. */
function together(processes: readonly CastProcess<unknown>[]): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      await Promise.all(processes.map((one) => one.kill()));
    },
  };
}

/** How often dials failed: what was begun together, by callers who did not know, fails once. */
function failuresSince(from: number, times: readonly number[]): number {
  const since = times.filter((at) => at >= from);
  return since.filter((at, index) => index === 0 || at - since[index - 1]! > 100).length;
}

function howTheyAre(
  machines: CastProcess<MachineTold>,
  members: CastProcess<MemberTold>[],
): string {
  const all = members.map(({ errors, told }) => `${JSON.stringify(told)} ${errors}`);
  return `${JSON.stringify(machines.told)}\n${all.join("\n")}`;
}

test("A machine never counts more than the cap, whatever happens to processes and to Redis", {
  skip,
}, async () => {
  await using redis = await startRedis();
  const port = await findPort();
  const addresses = ["127.0.77.1"];
  const machines = startMachines({ addresses, port, delayMs: 60 });
  const options = { ...TIMES, url: redis.url, addresses, port, callers: 50, cap: 100 };
  await until("the machines are up", () => machines.told !== undefined, 20_000);
  const members = [0, 1, 2, 3].map((number) => startMember(number, options));
  const all: CastProcess<unknown>[] = [machines, ...members];
  await using _end = together(all);
  const isBusy = () => (machines.told?.[0]?.open ?? 0) >= 90;
  const joined = () => members.every(({ told }) => told?.state === "joined");
  const busyAgain = async (after: string) => {
    await until(`90 of 100 are in use ${after}`, () => isBusy() && joined(), 25_000)
      .catch((error: Error) => {
        throw new Error(`${error.message}\n${howTheyAre(machines, members)}`);
      });
    const most = machines.told![0]!.most;
    assert(most <= 100, `the machine counted ${most} ${after}`);
  };
  await busyAgain("at first");

  await members[3]!.kill();
  members.pop();
  await until("what it had is in use", isBusy, 25_000);
  const another = startMember(3, options);
  members.push(another);
  all.push(another);
  await busyAgain("after a member was killed, and another one came");

  members[1]!.signal("SIGSTOP");
  await pause(2 * TIMES.goneAfterMs);
  members[1]!.signal("SIGCONT");
  await busyAgain("after a member stood still for longer than a lease");

  await redis.kill();
  await pause(2 * TIMES.leaseMs);
  await redis.start();
  await busyAgain("after Redis was killed, and came back without its data");

  redis.stop();
  await pause(2 * TIMES.leaseMs);
  redis.go();
  await busyAgain("after Redis stood still");
  const failures = members.slice(0, 1).map(({ told }) => told?.failures);
  assertEquals(failures, [0], howTheyAre(machines, members));
});

test(
  "A machine that dies is known to all members at once, and so is that it is back",
  { skip },
  async () => {
    await using redis = await startRedis();
    const port = await findPort();
    const addresses = ["127.0.78.1", "127.0.78.2", "127.0.78.3", "127.0.78.4"];
    const machines = startMachines({ addresses, port, delayMs: 20 });
    const options = {
      ...TIMES,
      url: redis.url,
      addresses,
      port,
      callers: 12,
      cap: 100,
      ejectionMs: 1_000,
    };
    await until("the machines are up", () => machines.told !== undefined, 20_000);
    const members = [0, 1, 2, 3].map((number) => startMember(number, options));
    // In its own fleet: it finds out alone.
    const alone = startMember(0, { ...options, fleetName: "other" });
    await using _end = together([machines, alone, ...members]);
    const warm = () =>
      [alone, ...members].every(({ told }) => told?.state === "joined" && told.connections >= 8);
    const describe = (error: Error) => {
      throw new Error(`${error.message}\n${howTheyAre(machines, [alone, ...members])}`);
    };
    await until("they are warm", warm, 30_000).catch(describe);
    await pause(500);
    const failedBefore = members.map(({ told }) => told!.failures);
    const dead = `127.0.78.2:${port}`;
    const knows = ({ told }: CastProcess<MemberTold>) => told?.bad[dead] !== undefined;
    const spread = (times: readonly number[]) => Math.max(...times) - Math.min(...times);
    const downAt = Date.now();
    machines.say("down 2");
    await until("all know", () => members.every(knows), 10_000).catch(describe);
    const known = spread(members.map(({ told }) => told!.bad[dead]!));
    // After the third trial of a pool alone, and before its fourth.
    await pause(2_700);
    const [ofOne = 0, ...ofMembers] = [alone, ...members].map(({ told }) =>
      failuresSince(downAt, told!.dialErrorsAt)
    );
    machines.say("up 2");
    const sum = ofMembers.reduce((sum, count) => sum + count, 0);
    const told = `${ofMembers} dials failed, and ${ofOne} of a pool alone`;
    assert(sum <= ofOne + members.length, `${told}\n${howTheyAre(machines, members)}`);
    await until("all know that it is back", () => !members.some(knows), 30_000).catch(describe);
    const back = spread(members.map(({ told }) => told!.good[dead]!));
    if (process.env.HOTCONN_FLEET !== undefined) {
      console.log(`known ${known} ms, back ${back} ms after the first; ${ofMembers} and ${ofOne}`);
    }
    assertEquals(
      members.map(({ told }) => told!.failures),
      failedBefore,
      howTheyAre(machines, members),
    );
  },
);
