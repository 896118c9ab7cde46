import './styles/tokens.css'
import './styles/base.css'
import { render } from 'preact'
import { App } from './app/app.js'
import { enter } from './app/session.js'

void enter()
render(<App />, document.getElementById('page')!)
