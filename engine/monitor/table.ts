/** The one command table: parser, help, completion, docs/monitor.md and QMP all read it. */
import { balloonCommand, balloonInfo } from './commands/balloon';
import { breakpointCommands, breakpointInfo } from './commands/breakpoints';
import { engineCommands } from './commands/engine';
import { gdbCommand } from './commands/gdbserver';
import { helpCommand, infoCommand } from './commands/help';
import { hotplugCommands } from './commands/hotplug';
import { layoutCommands } from './commands/layouts';
import { memoryCommands } from './commands/memory';
import { memslotCommands } from './commands/memslot';
import { pastCommands } from './commands/past';
import { replayCommands, replayInfo } from './commands/replay';
import { runCommands } from './commands/run';
import { snapshotCommands, snapshotsInfo } from './commands/snapshots';
import { backtraceInfo, symbolCommand } from './commands/symbols';
import { traceCommands, traceInfo } from './commands/trace';
import { indexInfo } from './info/index-info';
import { cpuCommand, machineInfo } from './info/machine';
import { memoryInfo } from './info/memory';
import { memslotInfo } from './info/memslots';
import { mtreeInfo } from './info/mtree';
import { pagingInfo } from './info/paging';
import { qomCommands } from './qom';
import type { Command } from './types';

export const infoCommands: readonly Command[] = [
  ...machineInfo,
  ...memoryInfo,
  balloonInfo,
  ...memslotInfo,
  indexInfo,
  mtreeInfo,
  ...pagingInfo,
  snapshotsInfo,
  replayInfo,
  breakpointInfo,
  backtraceInfo,
  ...traceInfo,
];

export const commands: readonly Command[] = [
  helpCommand,
  infoCommand(infoCommands),
  cpuCommand,
  ...runCommands,
  ...hotplugCommands,
  ...qomCommands,
  balloonCommand,
  ...memoryCommands,
  ...memslotCommands,
  ...engineCommands,
  ...layoutCommands,
  ...snapshotCommands,
  ...replayCommands,
  ...breakpointCommands,
  ...pastCommands,
  gdbCommand,
  symbolCommand,
  ...traceCommands,
];
