/**
 * What docs/monitor.md says of a command beyond its `help`: how ours differs from QEMU's, and details. By names as they are typed. Not in the commands'
 * own table, since the page would load it for nothing.
 */
export const NOTES: Readonly<Record<string, string>> = {
  'qom-set': '`requested-size` of a virtio-mem device. No other property can be set after its object was made: the refusals are QEMU’s.',
  'info mtree':
    "A memslot is shown as an alias of its backing. QEMU's -d, -o and -D do not exist: there is no dispatch tree and nothing is disabled.",
  'info memory-devices': '`addr` is where the DIMM was plugged, as in QEMU; `info memslots` shows where its memory is mapped now.',
  'info memdev': '`used by`, the device that uses the backend, is an addition of the lab.',
  'info version': 'Prints the version of this program.',
  'info pic': "The two 8259s and the I/O APIC, in the order of QEMU's microvm.",
  'info irq': 'By device, in one list; QEMU counts by input, once for each controller.',
  'info qtree': 'Lists the devices on the MMIO bus; there is no PCI bus on this board.',
  'info jit': 'Shows regions of several blocks instead of translation blocks; exits and drops are counted by reason.',
  memslot_merge:
    'A slot lies inside one backing, unless -f says otherwise. Removing a device unmaps its own bytes only; the rest of such a slot stays mapped',
  memslot_rehost:
    "In a change set it can be combined with other operations on the same slots: split a DIMM, move its parts and change its backing in one commit. With a memory backend, the DIMM or virtio-mem device uses that one as its memdev from then on, and the old one is free; the board's own RAM can only move to new host memory",
  undo: 'Memory that the guest itself plugged or ejected is not changed: an undo or redo that would change it is refused, with the command that does it properly',
  log: 'Items: none, unimp, memslots. Lines come to the monitor itself; there is no logfile.',
  balloon: 'Counts boot RAM and DIMMs, as in QEMU. Needs -device virtio-balloon-device.',
  layout_save: 'Breakpoints of gdb, disabled ones and those by hva are never saved.',
  share:
    'A layout does not include the contents of memory. -s and -r are for guests that the page serves itself; `docs/snapshots.md` has their bounds.',
  x: 'Format i: x87, MMX, SSE to SSE4.2; AVX is shown as .byte. If symbols are known, a line `name+offset:` precedes the code, and branch targets show theirs.',
  xp: 'Reads memslots only: a device register says "Cannot access memory" instead of being read with its side effects.',
  'print|p': '$rax .. $r15, $rip, $rflags, $cr0 .. $cr8 and $efer are known too.',
  gpa2hva: "An hva is a byte offset into the core's linear memory.",
  memsave: 'Only where there are files: the headless lab.',
  pmemsave: 'Only where there are files: the headless lab.',
  changeset_step:
    'Begun by changeset_commit -s. The guest runs between the phases; until swap 1 changeset_abort ends it and leaves the change set open',
  object_add: 'memory-backend-ram with id and size. Its other properties exist with their default value only.',
  device_add: 'pc-dimm with id, memdev, addr, slot (a DIMM slot, not a memslot) and node.',
  device_move:
    'If the guest does not eject it, it stays in place (MEM_UNPLUG_ERROR). Events: those of device_del and device_add, and DEVICE_MOVED {device, path, addr} instead of DEVICE_DELETED',
  replay_break:
    'The machine pauses before the instruction with that count (all vCPUs together, since power-on), and the breakpoint is removed. ' +
    'QEMU allows it only while it plays a record; here every run is exact: with the same input at the same counts `info digest` is equal.',
  'info replay': 'Shows the instruction count, and where `replay_break` will stop. QEMU also names its record file; there is none here.',
  'info snapshots': 'ICOUNT is the number of retired instructions.',
  savevm:
    'The memory topology (backends, DIMMs, memslots with flags and dirty bits) is part of it. The guest keeps running while the file is packed.',
  loadvm: 'The memory topology is part of the snapshot. Loading is all or nothing: a refused snapshot leaves the running guest unchanged.',
  breakpoint_add:
    'A gva means execution unless `access` says otherwise, all others mean reads and writes; `hole` alone is any address that no slot ' +
    'and no device answers. The machine stops before the instruction for execution, and after the access for all others, in both tiers at the same ' +
    'instruction. A slot is watched wherever it is moved; with `after=commit` the first access after ' +
    'each commit that changes it stops the machine. COND: `$rax==1&&$rdi>0x1000`.',
  who_wrote:
    'SIZE is in bytes, 1 by default. It goes back through the checkpoints and finds the last write to that host memory, through any slot; ' +
    'afterwards the machine is in the same state as before. Writes by devices are not attributed to a vCPU.',
  replay_seek:
    'Counts all vCPUs together, since power-on; `end` is the present. QEMU has it only while it plays a record; here it needs checkpoints. In its past the ' +
    'machine accepts no input; QEMU accepts any later count.',
  symbol:
    'Symbols come from -symbols FILE (moved as far as KASLR moved the kernel), from the ELF image that was booted, and from a Linux in memory ' +
    '(its kallsyms). Commands that expect an address accept a symbol, for example `x /10i start_kernel+4`.',
  'info backtrace':
    "Each frame shows how it was found: by Linux's ORC tables, by frame pointers, or by a guess: a word of the stack that points after a call. " +
    'A guessed call may have returned already.',
  'trace-event':
    "The name may contain `*`; the events are the lab's, with QEMU's names if QEMU has them. The last 65,536 are kept. QEMU's third argument, a vCPU, " +
    'does not exist.',
  trace_dump: 'Only where there are files: the headless lab. The page has a button for it.',
  'info trace':
    'All words of the filter must match: `slot:5,6`, `reason:HLT`, `gpa:0x10000000` (its page), `vcpu:0`, `event:memslot_*`, or any text. 64 lines, with ' +
    '/count up to 1,024; trace_dump writes all.',
  'info kvm-stat':
    'Counted while any trace event is on. An exit that the lab handles at once takes the 8 ns of its instruction, or none; HLT and RETRY take as long as ' +
    'the vCPU slept or waited. The end of a slice does not count as an exit.',
  gdbserver: 'Refused in the page, which cannot listen. Without a host it listens on the loopback interface only.',
};
