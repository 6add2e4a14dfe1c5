/** The core's imports (abi/core.ts, CoreImports): every call that leaves the wasm module. Module name "env". */

@external('env', 'lookup') export declare function lookup(gfn: f64, asId: i32): i32;
@external('env', 'markDirty') export declare function markDirty(gfn: f64, asId: i32): void;
@external('env', 'mmioRead') export declare function mmioRead(gpa: f64, size: i32): void;
@external('env', 'mmioWrite') export declare function mmioWrite(gpa: f64, size: i32): void;
@external('env', 'ioRead') export declare function ioRead(port: i32, size: i32): i32;
@external('env', 'ioWrite') export declare function ioWrite(port: i32, size: i32, value: i32): void;
@external('env', 'ackInterrupt') export declare function ackInterrupt(vcpu: i32): i32;
@external('env', 'ferr') export declare function ferr(vcpu: i32): void;
@external('env', 'cr8Written') export declare function cr8Written(vcpu: i32): void;
@external('env', 'apicMsr') export declare function apicMsr(vcpu: i32, index: u32, write: i32): i32;
@external('env', 'log') export declare function log(code: i32, a: u32, b: u32): void;
// Of the JIT; see CoreImports.
@external('env', 'jitHot') export declare function jitHot(block: i32, pageLow: i32, pageHigh: i32): void;
@external('env', 'jitDropped') export declare function jitDropped(hostPage: i32): void;
