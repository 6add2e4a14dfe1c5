import '@xterm/xterm/css/xterm.css';
import './tokens.css';
import './base.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { embedded } from './lab/embedding';
import { Lab } from './lab/lab.svelte';
import { Offline } from './lab/offline.svelte';
import { installScripting } from './lab/scripting';
import { applyStoredTheme } from './shared/theme.svelte';

applyStoredTheme();
const lab = new Lab();
const offline = new Offline();
installScripting(lab);
const target = document.getElementById('app');
if (!target) throw new Error('index.html has no element #app');
mount(App, { target, props: { lab, offline } });
// A reader of a course page did not request a program stored for offline use.
if (embedded) void lab.starter.start();
else
  void offline.start().then((reloading) => {
    if (!reloading) void lab.starter.start();
  });
