/** What -help prints. */
export const HELP = `memslot-lab: a machine whose guest-physical memory can be taken apart while it runs
usage: npm run --silent lab -- [options]

Guest:
  -guest NAME           a prepared guest (npm run guests prepares them); memlab unless -kernel is given
  -kernel FILE          bzImage, PVH or multiboot ELF, or a flat image
  -initrd FILE          with -kernel
  -append STRING        kernel command line
Machine:
  -m SIZE[,slots=N,maxmem=SIZE]   RAM; number of DIMM slots and maximum memory (without a suffix SIZE counts MiB;
                        default: the guest's own, or 128M)
  -smp N                vCPUs
  -cpu MODEL[,+feature][,-feature]   lab64 (default), or lab64-svm, in which KVM runs; -cpu help lists models and features
  -accel jit|interp[,dirty-ring-size=N,memslot-index=array|rbtree|btree]   how guest code runs: compiled if it is hot (default), or
                        interpreted, with the same results; N: entries of each vCPU's dirty ring
                        (256 to 65536; default: bitmaps); the index of the memslots (default: btree)
  -object memory-backend-ram,id=ID,size=SIZE   memory for a device
  -device virtio-mem-device,id=ID,memdev=ID[,requested-size=SIZE,memaddr=ADDR]   memory that the guest plugs and unplugs itself, on the
                        board's virtio-mmio bus; 'qom-set ID requested-size SIZE' in the monitor changes how much; needs -m maxmem=
  -device virtio-balloon-device[,id=ID]   a balloon, for 'balloon' and 'info balloon'
  -device isa-debug-exit[,iobase=PORT,iosize=N]   a guest write ends lab with status (value << 1) | 1; default port 0x501
  -symbols FILE         symbols of the guest's code: a vmlinux, another ELF file or a System.map (docs/debugging.md)
  -S                    do not start the vCPUs; 'cont' in the monitor starts them
  -snapshots DIR        the folder in which savevm and loadvm keep machine snapshots, as files NAME.mslm
  -loadvm NAME          start with a machine snapshot of that folder; the same -m and -smp as when it was saved
Replays:
  -record FILE          write a replay of this run to FILE when it ends; the page and -replay can play it
  -replay FILE          play a replay's file (or its link) and print whether the digest at the end equals the recorded one; allowed with it are only
                        -kernel, -initrd, -append for a local guest, -serial stdio|file:PATH, -symbols, and -gdb or -s:
                        gdb then goes back from the end
Connections:
  -serial CHARDEV       the guest's COM1; on a terminal Ctrl-A x ends lab, Ctrl-A Ctrl-A sends Ctrl-A
  -monitor CHARDEV      HMP, the human monitor; stdio, unless another flag uses stdio
  -qmp CHARDEV          the same commands as JSON
  -debugcon CHARDEV     the guest's output to port 0xe9
  -gdb CHARDEV          gdb stub; also tcp:HOST:PORT, and tcp::PORT for this computer only (docs/debugging.md)
  -s                    -gdb tcp::1234
  CHARDEV is stdio, null, file:PATH (output only) or unix:PATH,server=on,wait=off (wait=on: start when a client has connected)

End of input on a monitor on stdio quits. Status: isa-debug-exit's, 0 for quit, SIGTERM and power-off, 1 for wrong flags,
for a replay with a different digest, and for a guest that shuts down when no monitor could restart it. Saved layouts lie in
$XDG_DATA_HOME/memslot-lab/layouts (~/.local/share without XDG_DATA_HOME).
`;
