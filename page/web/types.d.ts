/** What the page and the replica tell each other. The replica's side: replica/src/exploring/story.rs. */

/** A reject, as the timeline has it. */
export type Reject = { code: number; error_code: string; message: string };

/** What was executed. */
export type Executed =
  | "cleanup"
  | { method: { kind: string; name: string } }
  | { callback: { from: string; method: string; reject: Reject | null } }
  | { system_task: string }
  | { hook: string }
  | { management: string }
  | { answered_by_system: string };

export type Answer = { reply: { size: number } } | { reject: Reject };

/** One execution: replica/src/timeline.rs. */
export type Event = {
  number: number;
  time: number;
  canister: string;
  caller: string;
  call_context: number | null;
  step: Executed;
  ending: "committed" | { undone: Reject };
  changed_memory: boolean;
  calls: { receiver: string; method: string; cycles: number }[];
  response: Answer | null;
  instructions: number;
  /** The message that was delivered. */
  message: string | null;
  /** The messages that it sent. */
  sent: string[];
  /** The users' calls that it answered. */
  answered: string[];
};

/** A message that was sent: replica/src/hold.rs. */
export type Message = {
  name: string;
  kind: "ingress" | "request" | "response" | "task";
  from: string;
  to: string;
  method: string;
  bounded_wait: boolean;
  deliverable: boolean;
};

export type Waiting = { step: string; message: Message; ways: string[] };

export type ToldStep = {
  step: string;
  message: Message | null;
  refused: string | null;
  events: Event[];
  looks: string[];
  answers: { message: string; text: string }[];
  time: number;
};

export type Told = {
  /** What to call the users that make calls, by their principals. */
  users: Record<string, string>;
  looks: string[];
  steps: ToldStep[];
  fault: string | null;
  waiting: Waiting[];
  late: boolean;
  wait: boolean;
  time: number;
};

export type Story = { steps: string[]; looks: string[]; names: Record<string, string> };

export type Method = { name: string; kind: string; takes: string; gives: string; argument: string };
export type Canister = { id: string; methods: Method[]; described: boolean };

export type Scene = {
  name: string;
  title: string;
  canisters: { name: string; wasm: string; source: string[] }[];
  looks: string[];
  /** What one might begin with; the first is there at the first visit. */
  stories: Beginning[];
};
export type Beginning = { title: string; steps: string[]; properties: string[] };

export type Wanted = {
  properties: string[];
  faults: string[];
  max_faults: number | null;
  limit: number | null;
};
export type Progress = { faults: number; deliveries: number };
export type Seen = { answers: (string | null)[]; looks: string[]; traps: number };
export type Orders = { number: number; more: boolean };
export type Call = { user: string; canister: string; method: string; argument: string };
export type Report = {
  looks: Call[];
  orders: Orders;
  runs: number;
  deliveries: number;
  exhaustive: boolean;
  holds: boolean;
  distinct_outcomes: number;
  outcomes: { seen: Seen; orders: Orders; runs: number }[];
  failures: { property: string; seen: Seen }[];
  never: string[];
};
export type Found = {
  report: Report;
  sentences: string[];
  stories: { failures: string[][]; nearest: (string[] | null)[]; outcomes: string[][] };
};

/** What the live network told. */
export type Live = {
  next: number;
  events: Event[];
  held: boolean;
  waiting: { message: Message; ways: string[] }[];
  time: number;
};

export interface Source {
  kind: "browser" | "network";
  /** The scenes to choose from; the network has none. */
  scenes: Scene[];
  /** Sets the stage, and says what the canisters of the scene are called. */
  begin(scene: Scene | null): Promise<Record<string, string>>;
  canisters(): Promise<Canister[]>;
  tell(story: Story): Promise<Told>;
  mermaid(story: Story): Promise<string>;
  explore(story: Story, wanted: Wanted, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<Found>;
  live?: {
    watch(onLive: (live: Live) => void, signal: AbortSignal): Promise<void>;
    hold(hold: boolean): Promise<void>;
    deliver(message: string, how: string): Promise<void>;
    advance(seconds: number): Promise<void>;
  };
}
