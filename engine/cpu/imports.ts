/** The core's imports (abi/core.ts, CoreImports): every call that leaves the wasm module. Module name "env". */

@external('env', 'lookup')
export declare function lookup(vcpu: i32, gfn: f64, asId: i32): i32;
@external('env', 'markDirty')
export declare function markDirty(vcpu: i32, gfn: f64, asId: i32): void;
@external('env', 'mmioRead')
export declare function mmioRead(vcpu: i32, gpa: f64, size: i32): void;
@external('env', 'mmioWrite')
export declare function mmioWrite(vcpu: i32, gpa: f64, size: i32): void;
@external('env', 'ioRead')
export declare function ioRead(vcpu: i32, port: i32, size: i32): i32;
@external('env', 'ioWrite')
export declare function ioWrite(vcpu: i32, port: i32, size: i32, value: i32): void;
@external('env', 'ackInterrupt')
export declare function ackInterrupt(vcpu: i32): i32;
@external('env', 'ferr')
export declare function ferr(vcpu: i32): void;
@external('env', 'cr8Written')
export declare function cr8Written(vcpu: i32): void;
@external('env', 'apicMsr')
export declare function apicMsr(vcpu: i32, index: u32, write: i32): i32;
@external('env', 'log')
export declare function log(vcpu: i32, code: i32, a: u32, b: u32): void;
// For the JIT: see CoreImports.
@external('env', 'jitHot')
export declare function jitHot(vcpu: i32, block: i32, pageLow: i32, pageHigh: i32): void;
@external('env', 'jitDropped')
export declare function jitDropped(hostPage: i32): void;
@external('env', 'jitMisses')
export declare function jitMisses(cell: i32): void;
